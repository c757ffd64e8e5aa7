//! Every state against every event.

use super::*;

const AT: Timestamp = Timestamp(1_769_896_800_000);

fn record(state: State) -> Record {
    Record {
        format: FORMAT,
        hour: AT,
        dimension: "savings".to_owned(),
        quantity: Quantity { units: 10, places: 3 },
        step: 7,
        path: Path::Task,
        allocated: true,
        state,
        notes: vec![],
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn states() -> Vec<State> {
    vec![
        State::Held { why: text("old") },
        State::Sending { task: text("a"), digest: text("d"), until: AT },
        State::Accepted { id: Some(text("r")), units: 10, carried: None },
        State::Accepted { id: None, units: 4, carried: None },
        State::Refused { why: text("no") },
        State::Unknown { task: text("a"), digest: text("d") },
        State::WrittenOff { why: text("x") },
        State::Carried { into: AT },
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    let (a, b) = (|| text("a"), || text("b"));
    vec![
        ("own send", Event::Send { task: a(), digest: text("e"), until: AT }),
        ("other send", Event::Send { task: b(), digest: text("e"), until: AT }),
        ("own id", Event::Answered { task: a(), id: text("r") }),
        ("other id", Event::Answered { task: b(), id: text("r") }),
        ("own 4", Event::Other { task: a(), held: Some(4) }),
        ("own other", Event::Other { task: a(), held: None }),
        ("own refusal", Event::Refuse { task: a(), why: text("no") }),
        ("other refusal", Event::Refuse { task: b(), why: text("no") }),
        ("own abandon", Event::Abandon { by: a() }),
        ("other abandon", Event::Abandon { by: b() }),
        ("carry", Event::Carry { into: AT }),
        ("accept", Event::Accept { id: text("r"), units: None, why: text("seen") }),
        ("not accepted", Event::NotAccepted { why: text("not seen") }),
        ("write off", Event::WriteOff { why: text("x") }),
    ]
}

#[test]
fn only_these_steps_are_legal() {
    let mut legal = Vec::new();
    for state in states() {
        let record = record(state);
        for (name, event) in events() {
            let Ok(next) = record.after(&event, Timestamp(AT.0 + 1)) else { continue };
            let difference = if record.is_final() || record.to_carry() == Some(4) { "*" } else { "" };
            legal.push(format!("{}{difference} + {name} = {}", record.state.label(), next.state.label()));
            assert_eq!(next.notes.len(), 1);
        }
    }
    assert_eq!(
        legal,
        [
            "held + carry = carried",
            "held + write off = written off",
            "pending + own send = pending",
            "pending + own id = accepted",
            "pending + own 4 = accepted",
            "pending + own other = unknown",
            "pending + own refusal = refused",
            "pending + own abandon = unknown",
            "pending + other abandon = unknown",
            "accepted* + carry = accepted",
            "refused + own send = pending",
            "refused + other send = pending",
            "refused + carry = carried",
            "refused + write off = written off",
            "unknown + own send = pending",
            "unknown + own id = accepted",
            "unknown + own 4 = accepted",
            "unknown + own other = unknown",
            "unknown + own refusal = refused",
            "unknown + accept = accepted",
            "unknown + not accepted = refused",
        ]
    );
}

#[test]
fn a_sender_is_not_taken_for_dead_before_its_time() {
    let record = record(State::Sending { task: text("a"), digest: text("d"), until: AT });
    assert!(record.after(&Event::Abandon { by: text("b") }, AT).is_err());
}

#[test]
fn steps_are_never_lost() {
    for state in states() {
        let record = record(state);
        let books = record.books();
        let sum = books.accepted + books.pending + books.unknown + books.written_off;
        let carried = matches!(record.state, State::Carried { .. });
        assert_eq!(sum, if carried { 0 } else { 10 }, "{:?}", record.state);
        assert_eq!(record.is_final(), books.pending == 0 && books.unknown == 0);
    }
}
