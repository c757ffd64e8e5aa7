//! INV-8 under fault injection: tasks that die at every call, two at once, clocks that step, outages, lost answers.

#[cfg(test)]
mod chance;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod marketplace;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod run;
#[cfg(test)]
mod sabotage;
#[cfg(test)]
mod world;

#[cfg(test)]
use run::{Plan, run};

#[test]
fn no_hour_is_billed_twice_and_none_is_lost() {
    let mut sums = run::Sums::default();
    for seed in 0..20 {
        let plan = Plan::wild(seed);
        match run(&plan) {
            Ok(found) => sums.add(&found),
            Err(faults) => panic!("seed {seed}: {}", faults.join("\n")),
        }
    }
    println!("{sums:?}");
    // The faults are there, or this proves nothing.
    assert!(sums.hours >= 10_000, "{sums:?}");
    assert!(sums.killed > 1000 && sums.unknown > 100 && sums.carried > 500 && sums.outages > 10, "{sums:?}");
}
