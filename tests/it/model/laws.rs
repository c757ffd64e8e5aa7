//! The laws, asked of one state: of the world, the store's record and the calls under way, never of a worker's view.

use super::book::{Book, swap_of};
use super::check::is_orphan;
use super::state::{Bounds, Phase, State};
use super::world::{Instance, Origin};

/// The law that a state breaks. Calls that arrive at any time, however late, are more than MaxSize and desired stand:
/// then INV-1 and INV-3 alone are asked for.
pub(super) fn broken(state: &State, book: &Book, bounds: &Bounds) -> Option<&'static str> {
    let prompt = bounds.left.late == 0 || bounds.strict;
    let laws = [
        ("INV-1: one swap in flight, over all workers", one_swap(state, book)),
        ("INV-1: one newcomer for each swap", one_newcomer(state)),
        ("INV-3: what we launched is known", known(state, book)),
        ("INV-2: what the owner wants is in service", !prompt || capacity_kept(state, bounds)),
        ("INV-4: nothing of ours is left", !prompt || nothing_left(state, book, bounds)),
    ];
    laws.into_iter().find(|(_, holds)| !holds).map(|(law, _)| law)
}

/// Swaps on the record, and those that a call under way serves.
fn one_swap(state: &State, book: &Book) -> bool {
    let called = state.workers.iter().filter(|worker| matches!(worker.phase, Phase::Call(_)));
    let mut swaps = called.map(|worker| worker.record).chain([state.record]).filter_map(|record| book.op(record));
    let Some(first) = swaps.next().map(swap_of) else { return true };
    swaps.all(|op| swap_of(op) == first)
}

fn one_newcomer(state: &State) -> bool {
    let ours = state.world.places.into_iter().filter(|place| place.is_alive()).filter_map(Instance::swap);
    let mut of = [0; 2];
    ours.for_each(|swap| of[usize::from(swap) - 1] += 1);
    of.iter().all(|count| *count <= 1)
}

/// Each instance of ours that lives is a member, of the swap on record, or one that the sweep ends.
fn known(state: &State, book: &Book) -> bool {
    let on_record = book.op(state.record).map(swap_of);
    let mut places = (0_u8..).zip(&state.world.places);
    places.all(|(at, place)| {
        let ours = matches!(place.origin, Origin::Ours { .. }) && place.is_alive();
        !ours || place.is_member() || place.swap() == on_record || is_orphan(state, at)
    })
}

/// With no swap on record, no call under way and none late, MaxSize and desired are what the owner set.
fn nothing_left(state: &State, book: &Book, bounds: &Bounds) -> bool {
    let called = state.workers.iter().any(|worker| matches!(worker.phase, Phase::Call(_))) || state.late.is_some();
    let over = book.op(state.record).is_none() && !called;
    let clean = book.record(state.record).max.is_none();
    !over || (state.world.max, state.world.desired, clean) == (bounds.max, bounds.desired, true)
}

/// As long as nothing was lost, as many serve as the owner wants.
fn capacity_kept(state: &State, bounds: &Bounds) -> bool {
    let lost = state.left.losses < bounds.left.losses;
    lost || state.world.in_service() >= usize::from(bounds.desired)
}
