//! Sessions on a clock of our own and an STS of our own.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use async_trait::async_trait;

use super::first::First;
use super::issue::Issued;
use super::*;
use crate::settings::ExternalId;

struct Hand(AtomicI64);

#[async_trait]
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, until: Timestamp) {
        self.0.fetch_max(until.0, Ordering::SeqCst);
    }
}

/// Issues an hour, or what it is told to; counts; lets others run while it works.
struct Desk {
    clock: Arc<Hand>,
    asked: Mutex<Vec<Ask>>,
    refuse: Mutex<BTreeMap<AccountId, Refused>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

#[async_trait]
impl Issue for Desk {
    async fn issue(&self, ask: &Ask) -> Result<Issued, Refused> {
        lock(&self.asked).push(ask.clone());
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_open.fetch_max(open, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.open.fetch_sub(1, Ordering::SeqCst);
        if let Some(refused) = lock(&self.refuse).get(&ask.account) {
            return Err(refused.clone());
        }
        let number = lock(&self.asked).len();
        let credentials = Credentials::new(format!("key-{number}"), "secret", None, None, "test");
        Ok(Issued { credentials, expires: self.clock.now() + Span::hours(1) })
    }
}

struct Stage {
    clock: Arc<Hand>,
    desk: Arc<Desk>,
    sessions: Sessions,
}

fn account(n: u64) -> AccountId {
    AccountId::from_number(n).unwrap()
}

fn site(n: u64, region: &str) -> Site {
    Site { account: account(n), region: region.parse().unwrap() }
}

fn stage() -> Stage {
    let clock = Arc::new(Hand(AtomicI64::new(1_000_000)));
    let desk = Arc::new(Desk {
        clock: Arc::clone(&clock),
        asked: Mutex::default(),
        refuse: Mutex::default(),
        open: AtomicUsize::new(0),
        most_open: AtomicUsize::new(0),
    });
    let settings = Settings {
        home: "eu-west-1".parse().unwrap(),
        hub: "hub".parse().unwrap(),
        role: "arn:aws:iam::{account}:role/spothub-member".parse().unwrap(),
        external_id: Some("the-second-lock".parse::<ExternalId>().unwrap()),
        own: Own::Directly(account(9)),
        noise: 3,
    };
    let sessions = Sessions::new(settings, Arc::clone(&clock) as Arc<dyn Clock>, Arc::clone(&desk) as Arc<dyn Issue>);
    Stage { clock, desk, sessions }
}

impl Stage {
    async fn ready(&self, n: u64, region: &str, kind: Kind) -> Result<(), Fault> {
        let session = self.sessions.of(&site(n, region), kind).unwrap();
        self.sessions.ready(&session).await
    }

    fn asked(&self) -> usize {
        lock(&self.desk.asked).len()
    }

    fn pass(&self, span: Span) {
        self.clock.0.fetch_add(span.0, Ordering::SeqCst);
    }
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn looking_is_by_account_and_acting_by_region() {
    let stage = stage();
    run(async {
        for region in ["eu-west-1", "us-east-1", "eu-west-1"] {
            stage.ready(1, region, Kind::Looking).await.unwrap();
            stage.ready(1, region, Kind::Acting).await.unwrap();
        }
    });
    let asked = lock(&stage.desk.asked);
    assert_eq!(asked.len(), 3);
    assert!(asked[0].policy.is_none());
    assert!(asked[1].policy.as_ref().unwrap().contains("eu-west-1"));
    assert!(asked[2].policy.as_ref().unwrap().contains("us-east-1"));
    assert_eq!(
        (asked[0].name.as_str(), asked[0].role.as_str()),
        ("spothub@eu-west-1", "arn:aws:iam::000000000001:role/spothub-member")
    );
    assert!(stage.sessions.of(&site(9, "eu-west-1"), Kind::Acting).is_none(), "the hub's own account needs no role");
}

#[test]
fn many_callers_make_one_call() {
    let stage = stage();
    run(async {
        let one = futures::future::join_all((0..20).map(|_| stage.ready(1, "eu-west-1", Kind::Looking)));
        let other = stage.ready(2, "eu-west-1", Kind::Looking);
        let (all, other) = futures::join!(one, other);
        assert!(all.iter().all(Result::is_ok) && other.is_ok());
    });
    assert_eq!(stage.asked(), 2);
    assert_eq!(stage.desk.most_open.load(Ordering::SeqCst), 2, "accounts do not wait for each other");
}

#[test]
fn a_session_is_refreshed_while_it_is_good_and_once() {
    let stage = stage();
    run(async {
        stage.ready(1, "eu-west-1", Kind::Looking).await.unwrap();
        stage.pass(Span::mins(45));
        stage.ready(1, "eu-west-1", Kind::Looking).await.unwrap();
        assert_eq!(stage.asked(), 1, "at most one in 45 minutes");
        stage.pass(Span::mins(7));
        let calls = futures::future::join_all((0..5).map(|_| stage.ready(1, "eu-west-1", Kind::Looking)));
        assert!(calls.await.iter().all(Result::is_ok));
        assert_eq!(stage.asked(), 2);
        let session = stage.sessions.of(&site(1, "eu-west-1"), Kind::Looking).unwrap();
        let signer = Signer(Arc::clone(&session));
        assert_eq!(signer.provide_credentials().await.unwrap().access_key_id(), "key-2");
        session.spoil();
        stage.ready(1, "eu-west-1", Kind::Looking).await.unwrap();
        assert_eq!(stage.asked(), 3);
    });
}

#[test]
fn a_refresh_that_fails_keeps_what_is_good() {
    let stage = stage();
    run(async {
        stage.ready(1, "eu-west-1", Kind::Looking).await.unwrap();
        lock(&stage.desk.refuse).insert(account(1), Refused::Call(Fault::Broken));
        stage.pass(Span::mins(53));
        for _ in 0..5 {
            stage.ready(1, "eu-west-1", Kind::Looking).await.unwrap();
        }
        assert_eq!(stage.asked(), 2, "and is not tried at every call");
        stage.pass(Span::mins(7));
        assert_eq!(stage.ready(1, "eu-west-1", Kind::Looking).await, Err(Fault::Broken));
        assert_eq!(stage.ready(1, "eu-west-1", Kind::Looking).await, Err(Fault::Broken));
        assert_eq!(stage.asked(), 3);
        lock(&stage.desk.refuse).clear();
        stage.pass(FAILED_FOR);
        stage.ready(1, "eu-west-1", Kind::Looking).await.unwrap();
    });
}

#[test]
fn a_denied_account_is_left_alone_for_a_while() {
    let stage = stage();
    lock(&stage.desk.refuse).insert(account(1), Refused::Account("closed"));
    run(async {
        for region in ["eu-west-1", "us-east-1"] {
            for kind in [Kind::Looking, Kind::Acting] {
                assert_eq!(stage.ready(1, region, kind).await, Err(Fault::Unreachable("closed")));
            }
        }
        assert_eq!(stage.asked(), 1);
        assert_eq!(stage.sessions.set_aside(), [(account(1), "closed")]);
        stage.ready(2, "eu-west-1", Kind::Looking).await.unwrap();
        stage.pass(ASIDE_FOR);
        assert!(stage.sessions.set_aside().is_empty());
        lock(&stage.desk.refuse).clear();
        stage.ready(1, "eu-west-1", Kind::Looking).await.unwrap();
    });
}

#[test]
fn the_hub_s_own_session_is_renewed_at_four_fifths_and_kept_to_its_end() {
    let stage = stage();
    let ask = Ask {
        account: account(8),
        role: "arn:aws:iam::000000000008:role/spothub-hub".to_owned(),
        name: "spothub@eu-west-1".to_owned(),
        external_id: None,
        policy: None,
        region: "eu-west-1".parse().unwrap(),
    };
    let first = First::new(ask, Arc::clone(&stage.clock) as Arc<dyn Clock>, Arc::clone(&stage.desk) as Arc<dyn Issue>);
    let key = async || first.provide_credentials().await.map(|held| held.access_key_id().to_owned());
    run(async {
        let all = futures::future::join_all((0..20).map(|_| key())).await;
        assert!(all.iter().all(|one| one.as_deref().is_ok_and(|key| key == "key-1")), "{all:?}");
        stage.pass(Span::mins(47));
        assert_eq!(key().await.unwrap(), "key-1");
        stage.pass(Span::mins(1));
        assert_eq!(key().await.unwrap(), "key-2");
        lock(&stage.desk.refuse).insert(account(8), Refused::Account("its trust was changed"));
        stage.pass(Span::mins(50));
        assert_eq!((key().await.unwrap().as_str(), stage.asked()), ("key-2", 3), "what is good stays in use");
        stage.pass(Span::mins(10));
        assert!(key().await.is_err() && key().await.is_err());
        assert_eq!(stage.asked(), 4, "those who waited get the same answer");
    });
    assert!(!format!("{first:?}").contains("key"));
}

#[test]
fn nothing_secret_is_shown() {
    let stage = stage();
    run(async { stage.ready(1, "eu-west-1", Kind::Looking).await.unwrap() });
    let session = stage.sessions.of(&site(1, "eu-west-1"), Kind::Looking).unwrap();
    let shown = format!("{:?} {session:?} {:?}", stage.sessions, lock(&stage.desk.asked));
    assert!(!shown.contains("second-lock") && !shown.contains("secret") && !shown.contains("key-1"), "{shown}");
}
