//! Many jobs, so many at a time.

use tokio::task::JoinSet;

/// Does a job for each item, at most `most` at once; what they give, in the order in which they ended. `done` is told
/// of the number of those that ended.
pub(super) async fn each<I, T, F>(
    items: Vec<I>,
    most: usize,
    job: impl Fn(I) -> F,
    done: impl Fn(usize) + Send,
) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (mut rest, mut running, mut all) = (items.into_iter(), JoinSet::new(), Vec::new());
    loop {
        while running.len() < most.max(1)
            && let Some(item) = rest.next()
        {
            running.spawn(job(item));
        }
        match running.join_next().await {
            None => return all,
            Some(Ok(one)) => {
                all.push(one);
                done(all.len());
            }
            // None is ever called off, so it panicked: that is a fault of this program, and ends it.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn all_are_done_and_few_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let told = AtomicUsize::new(0);
        let mut all = runtime.block_on(each(
            (0..50).collect(),
            7,
            |n: usize| {
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                async move {
                    most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    now.fetch_sub(1, Ordering::Relaxed);
                    n
                }
            },
            |done| told.store(done, Ordering::Relaxed),
        ));
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
        assert_eq!((most.load(Ordering::Relaxed), told.load(Ordering::Relaxed)), (7, 50));
    }
}
