//! The lines of a snapshot, each an object with its `kind`. Keys that are not known are skipped, so that a later
//! program may add some within one format; a key that is missing is a mistake.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spothub_core::catalog::{Catalog, InstanceType, Overlay, Product, TypeId};
use spothub_core::cloud::{Account, TemplateFacts};
use spothub_core::group::GroupView;
use spothub_core::id::{AccountId, AzId, OuPath, Region};
use spothub_core::market::{Pool, Quotes};
use spothub_core::money::UsdPerHour;
use spothub_core::record::GroupRecord;
use spothub_core::time::Timestamp;

use super::{FORMAT, Recorded, Snapshot};
use crate::survey::Missed;

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Row<'a> {
    /// The first line.
    Snapshot(Head),
    /// A type that the catalogue of its readers has otherwise, or not at all.
    Type(Box<Cow<'a, InstanceType>>),
    /// A zone of which the same is true, with all types that it offers.
    Zone {
        region: Region,
        az: AzId,
        types: Cow<'a, BTreeSet<Arc<str>>>,
    },
    /// All on-demand prices of a region and product; what is not here had none to count with.
    OnDemand {
        region: Region,
        product: Product,
        /// Millionths of a USD per hour by type.
        micro_usd_per_hour: BTreeMap<Arc<str>, i64>,
    },
    Account(AccountRow<'a>),
    /// A region whose prices were read.
    Prices {
        region: Region,
        /// When they were read, in milliseconds since 1970.
        as_of: Timestamp,
    },
    /// Prices of one zone and product.
    Quotes {
        region: Region,
        az: AzId,
        product: Product,
        /// Millionths of a USD per hour by type.
        micro_usd_per_hour: BTreeMap<TypeId, i64>,
    },
    Group(Box<GroupRow<'a>>),
    Missed(Cow<'a, Missed>),
}

/// The first line.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) format: u32,
    pub(super) by: String,
    /// Milliseconds since 1970.
    pub(super) taken_at: Timestamp,
    /// What follows, so that a file that was cut off is known as such.
    pub(super) rows: Counts,
}

/// Lines by kind.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Counts {
    #[serde(default)]
    types: usize,
    #[serde(default)]
    zones: usize,
    #[serde(default)]
    on_demand: usize,
    accounts: usize,
    prices: usize,
    quotes: usize,
    groups: usize,
    missed: usize,
}

impl Counts {
    /// Lines of the catalogue: they stand before all that names types.
    pub(super) const fn catalog(&self) -> usize {
        self.types.saturating_add(self.zones).saturating_add(self.on_demand)
    }

    const fn others(&self) -> usize {
        self.accounts + self.prices + self.quotes + self.groups + self.missed
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { types, zones, on_demand, accounts, prices, quotes, groups, missed } = self;
        write!(
            f,
            "{types} types, {zones} zones, {on_demand} on-demand, {accounts} accounts, {prices} prices, \
             {quotes} quotes, {groups} groups, {missed} missed"
        )
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct AccountRow<'a> {
    id: AccountId,
    name: Cow<'a, str>,
    ou: OuPath,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Cow<'a, BTreeMap<String, String>>>,
    regions: Cow<'a, BTreeSet<Region>>,
    active: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct GroupRow<'a> {
    view: Cow<'a, GroupView>,
    template: Option<Cow<'a, TemplateFacts>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<Cow<'a, GroupRecord>>,
}

/// All lines of a snapshot, in order.
pub(super) fn rows(snapshot: &Snapshot) -> Vec<Row<'_>> {
    let mut body = vec![];
    let (types, zones, on_demand) = catalog(&snapshot.catalog, &mut body);
    body.extend(snapshot.accounts.iter().map(account));
    for (region, quotes) in &snapshot.quotes {
        body.push(Row::Prices { region: region.clone(), as_of: quotes.as_of });
        body.extend(quoted(region, quotes));
    }
    let quotes = body.len() - types - zones - on_demand - snapshot.accounts.len() - snapshot.quotes.len();
    body.extend(snapshot.groups.iter().map(|group| {
        Row::Group(Box::new(GroupRow {
            view: Cow::Borrowed(&group.view),
            template: group.template.as_ref().map(Cow::Borrowed),
            record: group.record.as_ref().map(Cow::Borrowed),
        }))
    }));
    body.extend(snapshot.missed.iter().map(|missed| Row::Missed(Cow::Borrowed(missed))));
    let (by, taken_at) = (snapshot.by.clone(), snapshot.taken_at);
    let rows = Counts {
        types,
        zones,
        on_demand,
        accounts: snapshot.accounts.len(),
        prices: snapshot.quotes.len(),
        quotes,
        groups: snapshot.groups.len(),
        missed: snapshot.missed.len(),
    };
    body.insert(0, Row::Snapshot(Head { format: FORMAT, by, taken_at, rows }));
    body
}

/// The lines of a catalogue; how many types, zones and prices there are.
fn catalog<'a>(overlay: &'a Overlay, body: &mut Vec<Row<'a>>) -> (usize, usize, usize) {
    body.extend(overlay.types().map(|kind| Row::Type(Box::new(Cow::Borrowed(kind)))));
    let types = body.len();
    body.extend(overlay.zones().map(|(region, az, types)| {
        let (region, az, types) = (region.clone(), az.clone(), Cow::Borrowed(types));
        Row::Zone { region, az, types }
    }));
    let zones = body.len() - types;
    let mut prices: BTreeMap<(&Region, Product), BTreeMap<Arc<str>, i64>> = BTreeMap::new();
    for (region, product, kind, price) in overlay.prices() {
        let row = prices.entry((region, product)).or_default();
        row.extend(price.map(|price| (Arc::clone(kind), price.0)));
    }
    body.extend(prices.into_iter().map(|((region, product), micro_usd_per_hour)| {
        let region = region.clone();
        Row::OnDemand { region, product, micro_usd_per_hour }
    }));
    (types, zones, body.len() - types - zones)
}

fn account(account: &Account) -> Row<'_> {
    Row::Account(AccountRow {
        id: account.id,
        name: Cow::Borrowed(&account.name),
        ou: account.ou.clone(),
        tags: account.tags.as_ref().map(Cow::Borrowed),
        regions: Cow::Borrowed(&account.regions),
        active: account.active,
    })
}

fn quoted<'a>(region: &Region, quotes: &Quotes) -> Vec<Row<'a>> {
    let mut zones: BTreeMap<(AzId, Product), BTreeMap<TypeId, i64>> = BTreeMap::new();
    for (pool, price) in quotes.iter() {
        zones.entry((pool.az, pool.product)).or_default().insert(pool.kind, price.0);
    }
    let row =
        |((az, product), micro_usd_per_hour)| Row::Quotes { region: region.clone(), az, product, micro_usd_per_hour };
    zones.into_iter().map(row).collect()
}

/// The dearest price that is taken: a thousand times the largest machine's.
const MICROS_MAX: i64 = 1_000_000_000_000;

fn price(micros: i64) -> Result<UsdPerHour, String> {
    if (1..=MICROS_MAX).contains(&micros) {
        return Ok(UsdPerHour(micros));
    }
    Err(format!("micro_usd_per_hour: {micros} is no price: it is from 1 to {MICROS_MAX}"))
}

/// The longest name of a type that is taken; AWS's have less than half of it.
const TYPE_NAME_MAX: usize = 48;

/// A type as a machine can be: what divides by its size, or prints its name, relies on it.
fn possible(kind: InstanceType) -> Result<InstanceType, String> {
    let name = &*kind.name;
    let visible = name.len() <= TYPE_NAME_MAX && name.bytes().all(|b| b.is_ascii_graphic());
    let family = name.split_once('.').is_some_and(|(family, size)| family == &*kind.family && !size.is_empty());
    if !(visible && family) {
        return Err(format!("name: {:?} is no instance type", name.chars().take(TYPE_NAME_MAX).collect::<String>()));
    }
    if kind.vcpu == 0 || kind.memory_mib == 0 || kind.arch.is_empty() || kind.virtualization.is_empty() {
        return Err(format!("vcpu, memory_mib, arch, virtualization: {name} has none of one of them"));
    }
    if kind.instance_storage.is_some_and(|storage| storage.disks == 0) {
        return Err(format!("instance_storage.disks: {name} has storage on no disk"));
    }
    Ok(kind)
}

/// Prices of a region and product; every type that is known and not among them has none.
fn on_demand(
    into: &mut Overlay,
    region: &Region,
    product: Product,
    prices: &BTreeMap<Arc<str>, i64>,
) -> Result<(), String> {
    let told: Vec<Arc<str>> = into.types().map(|kind| Arc::clone(&kind.name)).collect();
    let known = Catalog::embedded().types().map(|(_, kind)| Arc::clone(&kind.name));
    for kind in known.chain(told) {
        into.set_price(region, product, &kind, None);
    }
    for (kind, micros) in prices {
        into.set_price(region, product, kind, Some(price(*micros)?));
    }
    Ok(())
}

/// Reads the first line, also one of a later format.
pub(super) fn head(line: &[u8]) -> Result<Head, String> {
    #[derive(Deserialize)]
    struct Any {
        kind: String,
        format: u32,
        #[serde(default)]
        by: String,
    }
    let any: Any = serde_json::from_slice(line).map_err(|error| format!("no snapshot: {}", told(&error)))?;
    if any.kind != "snapshot" {
        return Err(format!("kind: the first line of a snapshot says `snapshot`, this one {:?}", any.kind));
    }
    if any.format != FORMAT {
        return Ok(Head { format: any.format, by: any.by, taken_at: Timestamp(0), rows: Counts::default() });
    }
    serde_json::from_slice(line).map_err(|error| told(&error))
}

/// What a parser says, with the place in the line alone: the line's number is the file's.
pub(super) fn told(error: &serde_json::Error) -> String {
    let (text, column) = (error.to_string(), error.column());
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if column == 0 { text.to_owned() } else { format!("column {column}: {text}") }
}

impl Row<'_> {
    /// Puts the row where it belongs, or says why it has no place.
    pub(super) fn put(self, into: &mut Snapshot, found: &mut Counts) -> Result<(), String> {
        match self {
            Self::Snapshot(_) => return Err("kind: a second first line".to_owned()),
            Self::Type(_) | Self::Zone { .. } | Self::OnDemand { .. } if found.others() > 0 => {
                return Err("kind: types, zones and on-demand prices stand before all other lines".to_owned());
            }
            Self::Type(kind) => {
                found.types += 1;
                into.catalog.set_type(possible(kind.into_owned())?);
            }
            Self::Zone { region, az, types } => {
                found.zones += 1;
                into.catalog.set_zone(&region, az, types.into_owned());
            }
            Self::OnDemand { region, product, micro_usd_per_hour } => {
                found.on_demand += 1;
                on_demand(&mut into.catalog, &region, product, &micro_usd_per_hour)?;
            }
            Self::Account(row) => {
                let AccountRow { id, name, ou, tags, regions, active } = row;
                if into.accounts.last().is_some_and(|last| last.id >= id) {
                    return Err(format!("id: account {id} is out of order, or named twice"));
                }
                found.accounts += 1;
                let (name, regions) = (name.into_owned(), regions.into_owned());
                let tags = tags.map(Cow::into_owned);
                into.accounts.push(Account { id, name, ou, tags, regions, active });
            }
            Self::Prices { region, as_of } => {
                found.prices += 1;
                let quotes = Arc::new(Quotes::new(as_of, []));
                if into.quotes.insert(region.clone(), quotes).is_some() {
                    return Err(format!("region: the prices of {region} are named twice"));
                }
            }
            Self::Quotes { region, az, product, micro_usd_per_hour } => {
                found.quotes += 1;
                let Some(quotes) = into.quotes.get_mut(&region) else {
                    return Err(format!("region: no line before says when the prices of {region} were read"));
                };
                let quotes = Arc::make_mut(quotes);
                for (kind, micros) in micro_usd_per_hour {
                    quotes.set(&Pool { az: az.clone(), kind, product }, price(micros)?);
                }
            }
            Self::Group(row) => {
                let GroupRow { view, template, record } = *row;
                let view = view.into_owned();
                if into.groups.last().is_some_and(|last| last.view.key >= view.key) {
                    return Err(format!("view.key: group {} is out of order, or named twice", view.key));
                }
                found.groups += 1;
                let (template, record) = (template.map(Cow::into_owned), record.map(Cow::into_owned));
                into.groups.push(Recorded { view, template, record });
            }
            Self::Missed(missed) => {
                found.missed += 1;
                into.missed.push(missed.into_owned());
            }
        }
        Ok(())
    }
}
