//! Core's own decisions, turned into what a worker of the model does: every record here was changed by core, or by
//! what the hub does around it.

use spothub_core::catalog::{Product, TypeId};
use spothub_core::cloud::Route;
use spothub_core::fault::Fault;
use spothub_core::group::{Lifecycle, Source};
use spothub_core::id::SwapId;
use spothub_core::money::UsdPerHour;
use spothub_core::policy::{Effective, Policy, Standing};
use spothub_core::reason::OptOut;
use spothub_core::record::{End, GroupRecord, Op, Request, Stage, Why};
use spothub_core::rights::Rights;
use spothub_core::saga::{self, Answer, Next, Scene, Timings};
use spothub_core::time::{Span, Timestamp};

use super::Sabotage;
use super::book::{Book, Number, Seen, swap_of};
use super::look::Told;
use super::state::{Row, Sent};
use super::world::{Call, Outcome, Seat, World, id, place};

/// Within every time limit, and beyond every one.
const EARLY: Timestamp = Timestamp(1000);
const LATE: Timestamp = Timestamp(5 * 3_600_000);
/// When a newcomer that serves has served for long enough: between the two.
pub(super) const READY: Timestamp = Timestamp(3_600_000);
/// When a look was made, and when it is judged.
const TIMES: [(Timestamp, Timestamp); 3] = [(EARLY, EARLY), (EARLY, LATE), (LATE, LATE)];
/// The most that a wait after a failure is spread; none here.
const JITTER: u8 = 0;

/// What a decision rests on, but for the time: the record, the look, who took a member out, and what was told of the
/// newcomer.
pub(super) type Asked = (Number, Option<Seen>, Option<bool>, Told);

/// What a worker knew when it heard of a call, and what it heard.
pub(super) type Heard = (Number, Option<Seen>, Sent, Outcome);

/// What a worker does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Look,
    Ask(u8),
    Wait,
    /// The record becomes this one; then core is asked again.
    Goes(Number),
    /// The record becomes this one, and the swap's row is kept.
    Closes(Number, u8, Row),
    /// The record becomes this one for a call.
    Calls(Number, Sent),
}

/// Everything that the swap of a record may do next, whatever time it is, and whatever of `told` was told last. Without
/// a look it does what the hub does without one.
pub(super) fn steps(book: &mut Book, (number, seen, taken_by_us, told): Asked) -> Vec<Step> {
    let record = book.record(number).clone();
    let op = &record.ops[0];
    let seen = seen.map(|seen| *book.look(seen));
    let opted_out = seen.is_some_and(|seen| seen.opted_out);
    let standing = if opted_out { Standing::OptedOut(OptOut::Tag) } else { Standing::Enabled };
    let effective = Effective { policy: Policy::default(), standing };
    let mut steps = Vec::new();
    for (seen_at, now) in TIMES {
        let view = seen.map(|seen| seen.view(seen_at));
        // Whether the worker took the swap over or lost what it knew of it: both are always possible.
        for (new_state, inherited) in told.states().flat_map(|state| [(state, false), (state, true)]) {
            let scene = Scene {
                record: &record,
                op,
                view: view.as_ref(),
                new_state,
                targets_healthy: None,
                container: None,
                tasks: None,
                taken_by_us,
                inherited,
                effective: &effective,
                rights: &Rights::default(),
                timings: &Timings::default(),
                now,
            };
            let blind = view.is_none() && !matches!(op.stage, Stage::Restore { .. });
            let next = if blind { saga::waits(&scene).unwrap_or(Next::Look) } else { saga::next(&scene) };
            let step = step(book, number, seen.as_ref(), &next);
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    steps
}

fn step(book: &mut Book, number: Number, seen: Option<&World>, next: &Next) -> Step {
    let mut record = book.record(number).clone();
    match next {
        Next::Look => return Step::Look,
        Next::Activities(member, _) => return Step::Ask(place(member)),
        Next::Wait(..) => return Step::Wait,
        Next::Enter(stage) => {
            let op = &mut record.ops[0];
            let attached = op.attached;
            op.enter(stage.clone(), EARLY);
            if let (false, true, Some(seen)) = (attached, op.attached, seen) {
                op.desired_after = seen.desired.into();
            }
        }
        Next::Absorbed => absorbed(&mut record, seen),
        Next::ForgetMax => record.max = None,
        Next::End(end) => {
            let swap = swap_of(&record.ops[0]);
            let closed = saga::closing(&mut record, 0, *end, EARLY, JITTER);
            book.ends.insert(closed.end.label());
            let row = Row { new: closed.new.as_ref().map(place), attached: closed.attached };
            return Step::Closes(book.number(record), swap, row);
        }
        Next::Launch { .. }
        | Next::RaiseMax(_)
        | Next::Attach(_)
        | Next::Retire(_)
        | Next::Terminate(_)
        | Next::RestoreMax(_)
        | Next::LetGo(_)
        | Next::Containers
        | Next::Drained(_)
        | Next::Drain { .. }
        | Next::Targets => return calls(book, number, record, next),
    }
    Step::Goes(book.number(record))
}

/// What a call is to do goes on the record before it is made.
fn calls(book: &mut Book, before: Number, mut record: GroupRecord, next: &Next) -> Step {
    if matches!(next, Next::Retire(_) | Next::Terminate(_)) && book.sabotage != Some(Sabotage::NotMarkedAsSent) {
        saga::sent(&mut record.ops[0].stage);
    }
    if let Next::RaiseMax(intent) = next {
        record.max = Some(*intent);
    }
    let op = &record.ops[0];
    let small = |number: u32| u8::try_from(number).unwrap();
    let call = match next {
        Next::Launch { token, .. } => {
            let attempt = token.rsplit('-').next().unwrap().parse().unwrap();
            let token = if book.sabotage == Some(Sabotage::FreshTokens) { small(op.tries) } else { attempt };
            Call::Launch { swap: swap_of(op), token }
        }
        Next::RaiseMax(intent) => Call::SetMax(small(intent.written)),
        Next::RestoreMax(max) => Call::SetMax(small(*max)),
        Next::Attach(id) => Call::Attach(place(id)),
        Next::Retire(id) => Call::Retire(place(id)),
        Next::Terminate(id) => Call::Terminate(place(id)),
        Next::Look
        | Next::Targets
        | Next::Activities(..)
        | Next::Enter(_)
        | Next::Absorbed
        | Next::LetGo(_)
        | Next::Containers
        | Next::Drained(_)
        | Next::Drain { .. }
        | Next::ForgetMax
        | Next::Wait(..)
        | Next::End(_) => unreachable!("{next:?}: no call, or of a rescue, a target group or a cluster"),
    };
    Step::Calls(book.number(record), Sent { call, before })
}

/// As the hub ends a swap whose +1 the owner's limits took.
fn absorbed(record: &mut GroupRecord, seen: Option<&World>) {
    let op = &mut record.ops[0];
    op.added = false;
    let seat = |at: u8| seen.map(|seen| seen.places[usize::from(at)].seat);
    let serves = op.stage.newcomer().is_some_and(|new| seat(place(&new.id)) == Some(Seat::InService));
    let end = if let Stage::Net { end, .. } = op.stage {
        end
    } else if serves {
        End::Done { why: Some(Why::Absorbed) }
    } else {
        End::Undone { why: Why::Absorbed }
    };
    op.enter(Stage::Restore { end }, EARLY);
}

/// The record and the look after an answer, and whether the worker goes on at once: what the hub does around
/// [`saga::answered`].
pub(super) fn hears(book: &mut Book, (number, seen, sent, outcome): Heard) -> (Number, Option<Seen>, bool) {
    let mut record = book.record(number).clone();
    let (next, result) = (asked(&record, sent.call), outcome.answer());
    if let (Next::RaiseMax(_), Err(fault)) = (&next, &result)
        && *fault != Fault::Unclear
    {
        record.max = book.record(sent.before).max;
    }
    let attached = matches!(next, Next::Attach(_)) && result.is_ok();
    let look = seen.map(|seen| *book.look(seen));
    if let (true, Some(look)) = (attached, look) {
        record.ops[0].desired_after = u32::from(look.desired) + 1;
    }
    let seen = match (&next, sent.call, look) {
        (Next::RaiseMax(_), Call::SetMax(max), Some(look)) if result.is_ok() => Some(book.seen(&World { max, ..look })),
        (Next::Launch { .. }, ..) => seen,
        _ => None,
    };
    let answer = saga::answered(&mut record, 0, &next, result, EARLY);
    (book.number(record), seen, answer == Answer::On && !attached)
}

/// What a call was for.
fn asked(record: &GroupRecord, call: Call) -> Next {
    match call {
        Call::Launch { token, .. } => Next::Launch { token: token.to_string(), pool: None },
        Call::SetMax(max) => match (&record.ops[0].stage, record.max) {
            (Stage::Attach { .. }, Some(intent)) => Next::RaiseMax(intent),
            _ => Next::RestoreMax(max.into()),
        },
        Call::Attach(at) => Next::Attach(id(at)),
        Call::Retire(at) => Next::Retire(id(at)),
        Call::Terminate(at) => Next::Terminate(id(at)),
    }
}

/// A new swap of the member in place `old`, as the hub begins it.
pub(super) fn swap_op(number: u8, old: u8, hour: u8) -> Op {
    let source = Source::Configuration("web".parse().unwrap());
    let price = UsdPerHour(1000);
    Op {
        id: SwapId::from_number(number.into(), false),
        old: id(old),
        old_on_demand: true,
        az: "euw1-az1".parse().unwrap(),
        subnet: "subnet-00000001".parse().unwrap(),
        product: Product::Linux,
        baseline: price,
        original: TypeId(0),
        request: Request {
            source,
            route: Route::Fleet,
            pools: Vec::new(),
            max_price: price,
            lifecycle: Lifecycle::Spot,
            first_attempt: 0,
        },
        fallback: None,
        new: None,
        stage: Stage::Launch { attempt: 0 },
        started_at: Timestamp(hour.into()),
        entered_at: Timestamp(0),
        added: false,
        attached: false,
        desired_after: 0,
        counted: None,
        bake: Span::ZERO,
        policy: String::new(),
        drain: None,
        unclear: false,
        tries: 0,
    }
}
