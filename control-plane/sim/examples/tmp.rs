//! tmp
use spothub_sim::run::*;
use spothub_sim::scenario::Scenario;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let n = |i: usize, d: u32| a.get(i).and_then(|s| s.parse().ok()).unwrap_or(d);
    let mut s = Scenario::tmp(n(2, 60), n(3, 12), n(4, 24));
    let mode = a.get(5).cloned().unwrap_or_default();
    s.racing = mode.contains('r'); s.lose = mode.contains('l'); s.fail = mode.contains('f');
    let o = Options { seed: u64::from(n(1, 1)), ..Options::default() };
    let mut f = std::fs::File::create("/tmp/trace.jsonl").unwrap();
    let t: Option<&mut dyn std::io::Write> = if mode.contains('t') { Some(&mut f) } else { None };
    let out = run(&s, &o, t, &mut |_| ()).unwrap();
    println!("{}", serde_json::to_string_pretty(&out).unwrap());
}
