//! The dashboard: rules of access one by one, what each role sees, and pages in a browser.

mod browser;
mod desk;
mod requests;
mod rules;
