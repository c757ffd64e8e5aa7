//! The dashboard: rules of access one by one, what each role sees, and its pages and those of reports in a browser.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod report;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod rules;
