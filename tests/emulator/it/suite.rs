//! The shared suite of the cloud ports on the AWS adapter.

use spothub_tests::cloud::Scene;

use crate::emulator::{emulator, run};

/// Runs one case in accounts of its own.
fn play<F>(case: impl FnOnce(Scene) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    // Started before: it cannot be from within what it runs.
    let emulator = emulator();
    run(async move { case(emulator.scene().await).await });
}

macro_rules! on_the_emulator {
    ($($module:ident { $($case:ident,)* })*) => {
        $(mod $module {
            $(#[test]
            fn $case() {
                super::play(spothub_tests::cloud::$module::$case);
            })*
        })*
    };
}

spothub_tests::cloud_cases!(on_the_emulator);
