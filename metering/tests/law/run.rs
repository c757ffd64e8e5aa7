//! One run: the engine closes hours, tasks come and die, the operator settles, and the judge looks on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use spothub_core::id::AccountId;
use spothub_core::port::Store;
use spothub_core::time::{Span, Timestamp};
use spothub_usage::charge::{Basis, Dimension, MeteringMode, MonthEnd};
use spothub_usage::hours::{self, Counts};
use spothub_usage::meter::Customer;
use spothub_usage::record::{Record, State};
use spothub_usage::settle::{Verdict, settle};
use spothub_usage::task::{Outcome, Settings, TaskError, rows};

use crate::judge::{self, DIMENSIONS, Judge};
use crate::marketplace::{Faults, Outage};
use crate::world::{Running, World, Wrap};

/// 2026-01-29T00:00:00Z: two months end within a run.
pub(crate) const START: Timestamp = Timestamp(1_769_644_800_000);
const HOUR: i64 = 3_600_000;

/// What a run is made of.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) hours: i64,
    /// Thousandths of a task's steps at which it dies.
    pub(crate) crash: u64,
    pub(crate) store_faults: u64,
    pub(crate) faults: Faults,
    pub(crate) outages: u64,
    pub(crate) wrap: Wrap,
    pub(crate) settings: Settings,
    pub(crate) trial_hours: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub(crate) hours: i64,
    pub(crate) tasks: usize,
    pub(crate) killed: usize,
    pub(crate) outages: usize,
    pub(crate) calls: u64,
    pub(crate) booked: usize,
    pub(crate) carried: usize,
    /// Records that were unknown for a while.
    pub(crate) unknown: usize,
    pub(crate) corrections: usize,
    pub(crate) judged: usize,
}

impl Sums {
    pub(crate) fn add(&mut self, other: &Self) {
        self.hours += other.hours;
        self.tasks += other.tasks;
        self.killed += other.killed;
        self.outages += other.outages;
        self.calls += other.calls;
        self.booked += other.booked;
        self.carried += other.carried;
        self.unknown += other.unknown;
        self.corrections += other.corrections;
        self.judged += other.judged;
    }
}

pub(crate) fn settings() -> Settings {
    let share = Basis::NetSavings {
        rate_ppm: u32::try_from(judge::RATE_PPM).unwrap(),
        step_micro_usd: judge::STEP_MICRO_USD.unsigned_abs(),
        cap_micro_usd: Some(judge::CAP_MICRO_USD.unsigned_abs()),
    };
    let time = Basis::InstanceHours { step_seconds: judge::STEP_SECONDS.unsigned_abs() };
    let made = |name: &str, basis, places| Dimension { name: name.to_owned(), basis, places };
    Settings {
        product_code: "product".to_owned(),
        dimensions: vec![made(DIMENSIONS[0], share, 3), made(DIMENSIONS[1], time, 1)],
        customer: None,
        mode: MeteringMode::On,
        month_end: MonthEnd::Keep,
        register: false,
        hold_when_failing: false,
    }
}

impl Plan {
    pub(crate) fn calm(seed: u64, hours: i64) -> Self {
        let wrap: Wrap = |store, _| store;
        let faults = Faults::default();
        Self { seed, hours, crash: 0, store_faults: 0, faults, outages: 0, wrap, settings: settings(), trial_hours: 0 }
    }

    pub(crate) fn wild(seed: u64) -> Self {
        let faults = Faults { throttled: 150, request_lost: 60, answer_lost: 60, allocations: 20 };
        let mut plan = Self { crash: 6, store_faults: 8, faults, outages: 8, ..Self::calm(seed, 520) };
        plan.settings.month_end =
            [MonthEnd::Keep, MonthEnd::DropRemainders, MonthEnd::Reset][usize::try_from(seed % 3).unwrap()];
        if seed % 5 == 4 {
            let account = AccountId::from_number(42).unwrap();
            plan.settings.customer = Some(Customer { account, license_arn: "licence".to_owned() });
        }
        plan.trial_hours = if seed % 4 == 3 { 50 } else { 0 };
        plan
    }
}

/// A future that never waits.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match Box::pin(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

pub(crate) struct Sim {
    pub(crate) world: Arc<World>,
    pub(crate) judge: Judge,
    pub(crate) plan: Plan,
    pub(crate) running: Vec<Running>,
    /// Tasks that were killed.
    pub(crate) killed: BTreeSet<String>,
    pub(crate) sums: Sums,
    last_killed: Option<String>,
    /// What came of the last task that ended by itself.
    pub(crate) ended: Option<Result<Outcome, TaskError>>,
    /// Whether the judge looks on.
    pub(crate) judged: bool,
    next_close: i64,
    engine_down: i64,
    tasks_down: i64,
    /// Until when there is no subscription.
    lapsed: i64,
    unknown: BTreeSet<(i64, usize)>,
}

impl Sim {
    pub(crate) fn new(plan: &Plan) -> Self {
        let world = World::new(plan.seed, START);
        *world.store_faults.lock().unwrap() = plan.store_faults;
        world.marketplace.lock().unwrap().faults = plan.faults;
        Self {
            world,
            judge: Judge::default(),
            plan: plan.clone(),
            running: vec![],
            killed: BTreeSet::new(),
            sums: Sums::default(),
            last_killed: None,
            ended: None,
            judged: true,
            next_close: START.0,
            engine_down: 0,
            tasks_down: 0,
            lapsed: 0,
            unknown: BTreeSet::new(),
        }
    }

    fn below(&self, n: u64) -> u64 {
        self.world.chance.lock().unwrap().below(n)
    }

    fn between(&self, low: i64, high: i64) -> i64 {
        self.world.chance.lock().unwrap().between(low, high)
    }

    fn permille(&self, n: u64) -> bool {
        self.below(1000) < n
    }

    /// The engine writes and closes every hour that is over.
    pub(crate) fn close_hours(&mut self) {
        let now = self.world.now();
        while self.next_close + HOUR <= now.0 {
            let hour = self.next_close;
            let mut count = 0;
            for number in 0..5 {
                if self.permille(200) {
                    continue;
                }
                let counts = (self.between(-60_000, 250_000), self.between(0, 20_000));
                self.first(hour, number, counts);
                count += 1;
            }
            self.close(hour, count);
        }
    }

    pub(crate) fn close(&mut self, hour: i64, count: u32) {
        let put = hours::close(Timestamp(hour), count, self.world.now()).unwrap();
        now(self.world.store.write(&[put])).unwrap();
        self.next_close = hour + HOUR;
    }

    pub(crate) fn first(&mut self, hour: i64, number: u64, (net_micro_usd, instance_seconds): (i64, i64)) {
        let account = AccountId::from_number(number).unwrap();
        let counts = Counts { net_micro_usd, instance_seconds, managed: 1 };
        let put = hours::first(Timestamp(hour), account, self.world.now(), counts).unwrap();
        now(self.world.store.write(&[put])).unwrap();
        self.judge.inputs.insert((hour, account.to_string()), vec![(net_micro_usd, instance_seconds)]);
    }

    /// A correction of an hour that is closed.
    pub(crate) fn correct(&mut self, hour: i64, number: u64, (net_micro_usd, instance_seconds): (i64, i64)) {
        let account = AccountId::from_number(number).unwrap();
        let counts = Counts { net_micro_usd, instance_seconds, managed: 0 };
        let of = (Timestamp(hour), account);
        let stored = now(self.world.store.get(&hours::key(of.0, account))).unwrap();
        let puts = hours::correct(of, stored.as_ref(), (self.world.now(), counts, "late")).unwrap();
        now(self.world.store.write(&puts)).unwrap();
        let entries = self.judge.inputs.entry((hour, account.to_string())).or_insert_with(|| vec![(0, 0)]);
        entries.push((net_micro_usd, instance_seconds));
        self.sums.corrections += 1;
    }

    pub(crate) fn start(&mut self, skew: i64) {
        let mut arn = format!("arn:aws:ecs:eu-west-1:000000000001:task/hub/{}", self.sums.tasks);
        // A container that died may be started again within its task, with no memory of what it sent.
        if self.plan.crash > 0 && self.permille(100) {
            // One at a time: a task's containers do not run twice.
            let free = |other: &String| self.running.iter().all(|task| task.arn != *other);
            arn = self.last_killed.clone().filter(free).unwrap_or(arn);
        }
        self.start_as(&arn, skew);
    }

    pub(crate) fn start_as(&mut self, arn: &str, skew: i64) {
        self.sums.tasks += 1;
        let mut settings = self.plan.settings.clone();
        if self.world.now().0 < START.0 + self.plan.trial_hours * HOUR {
            settings.mode = MeteringMode::Trial;
        }
        self.running.push(Running::start(&self.world, arn, &settings, skew, self.plan.wrap));
    }

    /// Everybody goes on until a moment.
    pub(crate) fn drive(&mut self, until: i64) -> Result<(), Vec<String>> {
        loop {
            let now = self.world.now();
            let due: Vec<usize> =
                (0..self.running.len()).filter(|&place| self.running[place].wakes(now) <= now).collect();
            let Some(first) = self.running.iter().map(|task| task.wakes(now).0).min().filter(|at| *at < until) else {
                *self.world.now.lock().unwrap() = Timestamp(until.max(now.0));
                return Ok(());
            };
            if due.is_empty() {
                *self.world.now.lock().unwrap() = Timestamp(first);
                continue;
            }
            *self.world.now.lock().unwrap() = Timestamp(now.0 + self.between(0, 300));
            let place = due[usize::try_from(self.below(due.len() as u64)).unwrap()];
            if self.permille(self.plan.crash) {
                let arn = self.running.remove(place).arn;
                self.killed.insert(arn.clone());
                self.last_killed = Some(arn);
                self.sums.killed += 1;
            } else {
                if self.plan.crash > 0 && self.below(2000) == 0 {
                    *self.running[place].skew.lock().unwrap() += self.between(0, 8 * HOUR);
                }
                if let Some(ended) = self.running[place].poll() {
                    self.running.remove(place);
                    self.ended = Some(ended);
                }
            }
            self.look()?;
        }
    }

    /// The judge looks.
    pub(crate) fn look(&mut self) -> Result<(), Vec<String>> {
        if !self.judged {
            return Ok(());
        }
        self.sums.judged += 1;
        let marketplace = self.world.marketplace.lock().unwrap();
        // Who still runs may yet read its answer; a task whose clock is far ahead may take it for dead before.
        let mut excused = self.killed.clone();
        excused.extend(self.running.iter().map(|task| task.arn.clone()));
        let faults = self.judge.check(&self.world.store, &marketplace, &excused);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// The records that stand in a state.
    pub(crate) fn records(&self, wanted: fn(&State) -> bool) -> Vec<Record> {
        let all = now(rows::all::<Record>(&self.world.store, rows::RECORDS, |_| true)).unwrap();
        all.into_iter().map(|(_, record)| record).filter(|record| wanted(&record.state)).collect()
    }

    /// The operator settles by evidence what is unknown and old.
    pub(crate) fn settle(&mut self) {
        let at = self.world.now();
        for (hour, place) in self.judge.unknown.clone() {
            self.unknown.insert((hour, place));
            let record = now(rows::record(&self.world.store, Timestamp(hour), DIMENSIONS[place])).unwrap().row;
            if !matches!(record.state, State::Unknown { .. }) {
                continue;
            }
            // As long as AWS takes it, nobody can know.
            let long = if self.plan.settings.customer.is_some() { 25 } else { 7 };
            if at.since(record.hour) < Span::hours(long) {
                continue;
            }
            let evidence = {
                let marketplace = self.world.marketplace.lock().unwrap();
                let same =
                    marketplace.books.iter().find(|row| row.hour == record.hour && row.dimension == record.dimension);
                same.map(|row| row.id.clone())
            };
            let verdict = evidence.map_or(Verdict::NotAccepted, |id| Verdict::Accepted { id, units: None });
            let of = (record.hour, record.dimension.as_str());
            now(settle(&self.world.store, of, &verdict, ("the usage report", at))).unwrap();
            if verdict == Verdict::NotAccepted && self.permille(100) {
                now(settle(&self.world.store, of, &Verdict::WriteOff, ("a gift", at))).unwrap();
            }
        }
    }

    fn hour(&mut self, end: i64) -> Result<(), Vec<String>> {
        self.drive(end + self.between(60_000, 200_000))?;
        if self.plan.outages > 0 && self.permille(15) {
            self.engine_down = end + self.between(1, 9) * HOUR;
        }
        if self.plan.outages > 0 && self.permille(15) {
            self.tasks_down = end + self.between(1, 12) * HOUR;
        }
        if self.permille(self.plan.outages) {
            let kind = [Outage::Unreachable, Outage::Throttling][usize::try_from(self.below(2)).unwrap()];
            self.world.marketplace.lock().unwrap().outage = Some((Timestamp(end + 6 * HOUR), kind));
            self.sums.outages += 1;
        }
        if self.plan.outages > 0 && end >= self.lapsed {
            self.lapsed = if self.permille(8) { end + self.between(1, 9) * HOUR } else { 0 };
            self.world.marketplace.lock().unwrap().subscribed = self.lapsed == 0;
        }
        if end >= self.engine_down {
            self.close_hours();
        }
        if self.permille(150) {
            let back = self.between(0, 30);
            let hour = self.next_close - HOUR - back * HOUR;
            if hour >= START.0 {
                let (number, by) = (self.below(7), (self.between(-80_000, 80_000), self.between(-500, 500)));
                self.correct(hour, number, by);
            }
        }
        self.settle();
        self.look()?;
        if end >= self.tasks_down {
            for _ in 0..[1, 1, 2, 2, 3, 0][usize::try_from(self.below(6)).unwrap()] {
                let wide = if self.plan.crash > 0 && self.permille(80) { 7 * HOUR } else { 2000 };
                self.start(self.between(-wide, wide));
                self.drive(self.world.now().0 + self.between(0, 20_000))?;
            }
        }
        Ok(())
    }

    /// No more faults from this hour on, for as long as everything takes to settle.
    pub(crate) fn calm(&mut self, from: i64) -> Result<(), Vec<String>> {
        self.plan = Plan { settings: self.plan.settings.clone(), wrap: self.plan.wrap, ..Plan::calm(0, 0) };
        *self.world.store_faults.lock().unwrap() = 0;
        {
            let mut marketplace = self.world.marketplace.lock().unwrap();
            (marketplace.faults, marketplace.outage) = (Faults::default(), None);
            marketplace.subscribed = true;
        }
        for hour in from + 1..from + 40 {
            let end = START.0 + hour * HOUR;
            self.drive(end + 300_000)?;
            self.close_hours();
            self.settle();
            self.start(0);
            self.drive(end + 3_000_000)?;
        }
        self.look()
    }
}

/// A whole run: faults first, then none, until nothing is pending; and the last account.
pub(crate) fn run(plan: &Plan) -> Result<Sums, Vec<String>> {
    let mut sim = Sim::new(plan);
    for hour in 1..=plan.hours {
        sim.hour(START.0 + hour * HOUR)?;
    }
    sim.calm(plan.hours)?;
    let marketplace = sim.world.marketplace.lock().unwrap();
    for (all, found) in sim.judge.totals(&marketplace) {
        if all != found && plan.trial_hours == 0 {
            return Err(vec![format!("the inputs come to {all}, and {found} was found")]);
        }
    }
    (sim.sums.hours, sim.sums.calls, sim.sums.booked) = (plan.hours, marketplace.calls, marketplace.books.len());
    sim.sums.unknown = sim.unknown.len();
    drop(marketplace);
    sim.sums.carried = sim.records(|state| matches!(state, State::Carried { .. })).len();
    Ok(sim.sums)
}
