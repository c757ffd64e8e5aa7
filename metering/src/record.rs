//! One hour's record in one dimension: where its amount is, and what may happen to it next.
//!
//! [`Record::after`] is the one place that says which step is legal. Nothing here sends or stores.
//!
//! ```text
//!   Held ──────────────┐            ┌──► Accepted (with a difference where AWS holds another quantity)
//!                      ├─► Carried  │        ▲
//!   Sending ─► Refused ┘  into a    │        │ the sender's own answer, or the operator's evidence
//!      │  ▲       │ │     later     │        │
//!      │  └───────┘ └──► hour, or   └── Sending ◄─► Unknown ──► Refused
//!      │  month end      WrittenOff              by another task, once the sender's time is over; back by the sender
//! ```

use serde::{Deserialize, Serialize};
use spothub_core::time::Timestamp;

use crate::meter::Quantity;

/// The format of a record when it is written now.
pub const FORMAT: u32 = 1;
/// Notes that a record keeps, the first ones: with all its records an hour's write must stay below 400 KiB.
const NOTES_MAX: usize = 40;

/// Which way a record goes. An hour has one way: both together would bill it twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// `MeterUsage`, from the buyer's account.
    Task,
    /// `BatchMeterUsage`, from the seller's.
    Seller,
}

/// Where a record's amount is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Pending: never sent, and never to be sent under its own hour.
    Held {
        /// Why.
        why: String,
    },
    /// Pending: this task is about to send it, sends it, or died in doing so.
    Sending {
        /// The task's ARN.
        task: String,
        /// SHA-256 of the request.
        digest: String,
        /// From when on another task may take the sender for dead.
        until: Timestamp,
    },
    /// AWS holds it.
    Accepted {
        /// AWS's id for the record; unknown where it only said that it holds another quantity.
        id: Option<String>,
        /// Steps that it holds.
        units: u64,
        /// The hour into which a difference went, where there was one.
        carried: Option<Timestamp>,
    },
    /// Pending: AWS certainly does not hold it.
    Refused {
        /// What it answered, or the operator's reason.
        why: String,
    },
    /// The sender ended without an answer. Only its own answer, read late, or an operator's evidence settles it.
    Unknown {
        /// The sender's ARN.
        task: String,
        /// The digest of what it sent, or was about to send.
        digest: String,
    },
    /// Never to be billed.
    WrittenOff {
        /// Why.
        why: String,
    },
    /// Its amount is part of a later hour's record.
    Carried {
        /// Which.
        into: Timestamp,
    },
}

/// What happens to a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A task takes it upon itself to send it: stored before the call.
    Send {
        /// Its ARN.
        task: String,
        /// The request's digest.
        digest: String,
        /// When it gives up at the latest.
        until: Timestamp,
    },
    /// The sender read AWS's id.
    Answered {
        /// The sender's ARN.
        task: String,
        /// AWS's id for the record.
        id: String,
    },
    /// The sender read that AWS holds another quantity; how many steps, where it is told.
    Other {
        /// The sender's ARN.
        task: String,
        /// Steps.
        held: Option<u64>,
    },
    /// The sender read that AWS does not hold it, and no earlier answer of it was lost.
    Refuse {
        /// The sender's ARN.
        task: String,
        /// What AWS answered.
        why: String,
    },
    /// A task finds it, and the sender's time is over.
    Abandon {
        /// That task's ARN; the sender's own, where AWS would not take the identical request any more.
        by: String,
    },
    /// It becomes part of a later hour's record.
    Carry {
        /// Which.
        into: Timestamp,
    },
    /// An operator has evidence that AWS holds it.
    Accept {
        /// AWS's id for the record.
        id: String,
        /// Steps, where the evidence says other than was asked.
        units: Option<u64>,
        /// The evidence.
        why: String,
    },
    /// An operator has evidence that AWS does not hold it.
    NotAccepted {
        /// The evidence.
        why: String,
    },
    /// An operator gives it up.
    WriteOff {
        /// Why.
        why: String,
    },
}

/// A line of a record's history.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// One hour's record in one dimension.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`FORMAT`] when it was written.
    pub format: u32,
    /// The hour's first moment.
    pub hour: Timestamp,
    /// The dimension's name.
    pub dimension: String,
    /// The quantity that it was made for.
    pub quantity: Quantity,
    /// The parts of one step when it was made.
    pub step: i128,
    /// Which way it goes.
    pub path: Path,
    /// Whether it names the accounts; `false` once AWS refused these names.
    pub allocated: bool,
    /// Where its amount is.
    pub state: State,
    /// What happened, first to last.
    pub notes: Vec<Note>,
}

/// Where a record's steps are. Their sum is the quantity, unless it was carried: then all are none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Books {
    /// AWS holds them.
    pub accepted: i128,
    /// Still to be billed; below nothing where AWS holds too many.
    pub pending: i128,
    /// The sender died with them.
    pub unknown: i128,
    /// Never to be billed.
    pub written_off: i128,
}

/// A step that a record cannot take.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{dimension} of {hour} is {state}, so it cannot be {event}")]
pub struct IllegalStep {
    /// The record's hour.
    pub hour: Timestamp,
    /// Its dimension.
    pub dimension: String,
    /// Where it is.
    pub state: &'static str,
    /// What was asked of it.
    pub event: &'static str,
}

impl Record {
    /// The record after something happened to it at `at`.
    pub fn after(&self, event: &Event, at: Timestamp) -> Result<Self, IllegalStep> {
        let Some(state) = self.next(event, at) else {
            let (state, event) = (self.state.label(), event.label());
            return Err(IllegalStep { hour: self.hour, dimension: self.dimension.clone(), state, event });
        };
        let mut next = Self { state, ..self.clone() };
        next.note(at, event.told());
        Ok(next)
    }

    /// Writes a line of its history.
    pub fn note(&mut self, at: Timestamp, text: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(Note { at, text });
        }
    }

    /// Where its steps are.
    #[must_use]
    pub fn books(&self) -> Books {
        let all = i128::from(self.quantity.units);
        let none = Books::default();
        match &self.state {
            State::Held { .. } | State::Sending { .. } | State::Refused { .. } => Books { pending: all, ..none },
            State::Unknown { .. } => Books { unknown: all, ..none },
            State::WrittenOff { .. } => Books { written_off: all, ..none },
            State::Carried { .. } => none,
            State::Accepted { units, carried, .. } => {
                let accepted = i128::from(*units);
                Books { accepted, pending: if carried.is_some() { 0 } else { all - accepted }, ..none }
            }
        }
    }

    /// Whether nothing will ever happen to it any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match &self.state {
            State::Held { .. } | State::Sending { .. } | State::Refused { .. } | State::Unknown { .. } => false,
            State::WrittenOff { .. } | State::Carried { .. } => true,
            State::Accepted { .. } => self.books().pending == 0,
        }
    }

    /// The steps that AWS keeps, and with them all others to be billed in a later hour; `None` where nothing is to be.
    #[must_use]
    pub fn to_carry(&self) -> Option<u64> {
        match &self.state {
            State::Held { .. } | State::Refused { .. } => Some(0),
            State::Accepted { units, .. } => (self.books().pending != 0).then_some(*units),
            State::Sending { .. } | State::Unknown { .. } | State::WrittenOff { .. } | State::Carried { .. } => None,
        }
    }

    fn next(&self, event: &Event, at: Timestamp) -> Option<State> {
        match (&self.state, event) {
            (State::Refused { .. }, Event::Send { task, digest, until }) => {
                Some(State::Sending { task: task.clone(), digest: digest.clone(), until: *until })
            }
            // The same task: the identical request again, or one without the allocations that were refused.
            (
                State::Sending { task: sender, .. } | State::Unknown { task: sender, .. },
                Event::Send { task, digest, until },
            ) if sender == task => Some(State::Sending { task: task.clone(), digest: digest.clone(), until: *until }),
            (State::Sending { task, digest, until }, Event::Abandon { .. }) if at > *until => {
                Some(State::Unknown { task: task.clone(), digest: digest.clone() })
            }
            (State::Sending { task: sender, .. } | State::Unknown { task: sender, .. }, told) => {
                self.told(sender, told).or_else(|| self.settled(told))
            }
            (State::Held { .. } | State::Refused { .. }, Event::Carry { into }) => Some(State::Carried { into: *into }),
            (State::Held { .. } | State::Refused { .. }, Event::WriteOff { why }) => {
                Some(State::WrittenOff { why: why.clone() })
            }
            (State::Accepted { id, units, carried: None }, Event::Carry { into }) if self.books().pending != 0 => {
                Some(State::Accepted { id: id.clone(), units: *units, carried: Some(*into) })
            }
            (
                State::Held { .. }
                | State::Refused { .. }
                | State::Accepted { .. }
                | State::WrittenOff { .. }
                | State::Carried { .. },
                _,
            ) => None,
        }
    }

    /// What its own sender read.
    fn told(&self, sender: &str, event: &Event) -> Option<State> {
        match event {
            Event::Answered { task, id } if task == sender => Some(self.accepted(Some(id.clone()), None)),
            Event::Refuse { task, why } if task == sender => Some(State::Refused { why: why.clone() }),
            Event::Other { task, held: Some(held) } if task == sender => Some(self.accepted(None, Some(*held))),
            Event::Other { task, held: None } if task == sender => Some(self.lost()),
            Event::Answered { .. }
            | Event::Refuse { .. }
            | Event::Other { .. }
            | Event::Send { .. }
            | Event::Abandon { .. }
            | Event::Carry { .. }
            | Event::Accept { .. }
            | Event::NotAccepted { .. }
            | Event::WriteOff { .. } => None,
        }
    }

    /// What an operator says of a record whose fate is unknown.
    fn settled(&self, event: &Event) -> Option<State> {
        let unknown = matches!(self.state, State::Unknown { .. });
        match event {
            Event::Accept { id, units, .. } if unknown => Some(self.accepted(Some(id.clone()), *units)),
            Event::NotAccepted { why } if unknown => Some(State::Refused { why: why.clone() }),
            Event::Accept { .. }
            | Event::NotAccepted { .. }
            | Event::Answered { .. }
            | Event::Refuse { .. }
            | Event::Other { .. }
            | Event::Send { .. }
            | Event::Abandon { .. }
            | Event::Carry { .. }
            | Event::WriteOff { .. } => None,
        }
    }

    fn accepted(&self, id: Option<String>, units: Option<u64>) -> State {
        State::Accepted { id, units: units.unwrap_or(self.quantity.units), carried: None }
    }

    /// AWS holds something of it, and does not say how much.
    fn lost(&self) -> State {
        match &self.state {
            State::Sending { task, digest, .. } | State::Unknown { task, digest } => {
                State::Unknown { task: task.clone(), digest: digest.clone() }
            }
            State::Held { .. }
            | State::Accepted { .. }
            | State::Refused { .. }
            | State::WrittenOff { .. }
            | State::Carried { .. } => self.state.clone(),
        }
    }
}

impl State {
    /// A word for it, for tables.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Held { .. } => "held",
            Self::Sending { .. } => "pending",
            Self::Accepted { .. } => "accepted",
            Self::Refused { .. } => "refused",
            Self::Unknown { .. } => "unknown",
            Self::WrittenOff { .. } => "written off",
            Self::Carried { .. } => "carried",
        }
    }
}

impl Event {
    fn label(&self) -> &'static str {
        match self {
            Self::Send { .. } => "sent",
            Self::Answered { .. } | Self::Accept { .. } => "accepted",
            Self::Other { .. } => "accepted otherwise",
            Self::Refuse { .. } | Self::NotAccepted { .. } => "refused",
            Self::Abandon { .. } => "taken for abandoned",
            Self::Carry { .. } => "carried",
            Self::WriteOff { .. } => "written off",
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Send { task, digest, .. } => format!("{task} sends {digest}"),
            Self::Answered { task, id } => format!("{task} read record id {id}"),
            Self::Other { task, held: Some(held) } => format!("{task} read that AWS holds {held} steps instead"),
            Self::Other { task, held: None } => format!("{task} read that AWS holds another quantity"),
            Self::Refuse { task, why } => format!("{task} was refused: {why}"),
            Self::Abandon { by } => format!("{by} found no answer"),
            Self::Carry { into } => format!("carried into {into}"),
            Self::Accept { id, units, why } => {
                let other = units.map_or_else(String::new, |units| format!(" with {units} steps"));
                format!("settled as accepted, record id {id}{other}: {why}")
            }
            Self::NotAccepted { why } => format!("settled as not accepted: {why}"),
            Self::WriteOff { why } => format!("written off: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
