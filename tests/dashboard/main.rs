//! The dashboard: rules of access one by one, what each role sees, and pages in a browser.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod rules;
