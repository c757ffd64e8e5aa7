//! Surveys over an organization made by hand.
