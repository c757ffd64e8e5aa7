//! Reads the generated tables; every error says where it stands.

mod row;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::id::{AzId, Region};

use super::TypeId;
use super::facts::{
    Accelerator, Arch, AttachmentLimit, BootMode, Ebs, EbsOptimized, Gpu, Hypervisor, InstanceStorage, InstanceType,
    Medium, Purpose, Support, Virtualization,
};
use super::prices::{Fees, Prices};
use row::{Row, rows};

/// One of the three tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CatalogFile {
    /// What each type is.
    Types,
    /// Where each type is offered.
    Offers,
    /// What each type costs.
    Prices,
}

impl fmt::Display for CatalogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Types => "types.tsv",
            Self::Offers => "offers.tsv",
            Self::Prices => "prices.tsv",
        })
    }
}

/// A table that is not laid out as its README says.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{file}, line {line}, column {column}: {problem}")]
pub struct CatalogError {
    /// Which table.
    pub file: CatalogFile,
    /// Line, from 1.
    pub line: u32,
    /// Name of the column.
    pub column: String,
    /// What is wrong there.
    pub problem: String,
}

const TYPE_COLUMNS: &str = "name\tvcpu\tmemory_mib\tarch\tcpu\thypervisor\tflags\tvirtualization\tboot\tena\tenis\t\
    ebs_optimized\tebs_nvme\tebs_mbps\tebs_iops\tattachments\tdisks\tgpus\taccelerators";

/// Most types of a catalogue: a `TypeId` has 16 bits.
pub(super) const TYPES_MAX: usize = 1 << 16;

/// What `offers.tsv` says.
pub(super) struct Offers {
    pub(super) regions: Vec<Region>,
    pub(super) zones: Vec<Vec<AzId>>,
    pub(super) offered: BTreeMap<AzId, Zone>,
}

/// The types that one zone offers, a bit for each.
#[derive(Clone, Debug)]
pub(super) struct Zone(Vec<u64>);

impl Zone {
    pub(super) fn empty(types: usize) -> Self {
        Self(vec![0; types.div_ceil(64)])
    }

    pub(super) fn add(&mut self, id: TypeId) {
        self.0[id.index() / 64] |= 1 << (id.index() % 64);
    }

    pub(super) fn offers(&self, id: TypeId) -> bool {
        self.0.get(id.index() / 64).is_some_and(|word| word >> (id.index() % 64) & 1 == 1)
    }
}

/// The type of this name, in types sorted by name.
pub(super) fn find(types: &[InstanceType], name: &str) -> Option<TypeId> {
    let place = types.binary_search_by(|kind| (*kind.name).cmp(name)).ok()?;
    u16::try_from(place).ok().map(TypeId)
}

/// Reads `types.tsv`.
pub(super) fn types(text: &str) -> Result<Vec<InstanceType>, CatalogError> {
    let (header, body) = rows(CatalogFile::Types, text)?;
    if header.text() != TYPE_COLUMNS {
        return Err(header.refuse("header", "the columns are not those that this program reads"));
    }
    let mut types: Vec<InstanceType> = Vec::with_capacity(2048);
    for row in body {
        let kind = instance_type(row.clone())?;
        if types.last().is_some_and(|last| last.name >= kind.name) {
            return Err(row.refuse("name", "names are not in order, each once"));
        }
        types.push(kind);
        if types.len() > TYPES_MAX {
            return Err(row.refuse("name", "more types than 16 bits can number"));
        }
    }
    Ok(types)
}

fn instance_type(mut row: Row<'_>) -> Result<InstanceType, CatalogError> {
    let name = row.take("name")?;
    let family = row.field("name", name.split_once('.').map(|(family, _)| family).ok_or("a type has a dot"))?;
    let vcpu = row.number("vcpu")?;
    let memory_mib = row.number("memory_mib")?;
    let arch = row.list::<Arch>("arch")?;
    let cpu = row.take("cpu")?;
    let hypervisor = row.word::<Hypervisor>("hypervisor")?;
    let flags = row.take("flags")?;
    let virtualization = row.list::<Virtualization>("virtualization")?;
    let boot_modes = row.list::<BootMode>("boot")?;
    let ena = row.word::<Support>("ena")?;
    let max_enis = row.number("enis")?;
    let ebs = ebs(&mut row)?;
    let instance_storage = row.optional("disks", storage)?;
    let gpus: Option<Vec<Gpu>> = row.optional("gpus", |cell| cell.split(';').map(gpu).collect())?;
    let accelerators: Option<Vec<Accelerator>> =
        row.optional("accelerators", |cell| cell.split(';').map(accelerator).collect())?;
    let (gpus, accelerators) = (gpus.unwrap_or_default(), accelerators.unwrap_or_default());
    row.end("accelerators")?;
    let has = |flag: &str| flags.split(',').any(|word| word == flag);
    Ok(InstanceType {
        purpose: Purpose::of(family, &gpus, &accelerators),
        name: name.into(),
        family: family.into(),
        vcpu,
        memory_mib,
        arch,
        cpu_manufacturer: cpu.into(),
        hypervisor,
        bare_metal: has("metal"),
        burstable: has("burstable"),
        current_generation: has("current"),
        spot: has("spot"),
        hibernation: has("hibernation"),
        virtualization,
        boot_modes,
        ena,
        max_enis,
        ebs,
        instance_storage,
        gpus,
        accelerators,
    })
}

fn ebs(row: &mut Row<'_>) -> Result<Ebs, CatalogError> {
    let optimized = row.word::<EbsOptimized>("ebs_optimized")?;
    let nvme = row.word::<Support>("ebs_nvme")?;
    let baseline_mbps = row.optional("ebs_mbps", |cell| cell.parse().ok())?;
    let baseline_iops = row.optional("ebs_iops", |cell| cell.parse().ok())?;
    let cell = row.take("attachments")?;
    let parts = cell.split_once(':').and_then(|(max, limit)| Some((max.parse().ok()?, limit.parse().ok()?)));
    let (attachments_max, attachment_limit): (u32, AttachmentLimit) =
        row.field("attachments", parts.ok_or("it is written as number:limit"))?;
    Ok(Ebs { optimized, nvme, baseline_mbps, baseline_iops, attachments_max, attachment_limit })
}

/// `count x GB:medium:interface`.
fn storage(cell: &str) -> Option<InstanceStorage> {
    let mut parts = cell.split(':');
    let (disks, gb) = parts.next()?.split_once('x')?;
    let (disks, gb): (u32, u32) = (disks.parse().ok()?, gb.parse().ok()?);
    let medium: Medium = parts.next()?.parse().ok()?;
    let nvme = match parts.next()? {
        "nvme" => true,
        "block" => false,
        _ => return None,
    };
    let total_gb = disks.checked_mul(gb)?;
    (parts.next().is_none() && total_gb > 0).then_some(InstanceStorage { total_gb, disks, medium, nvme })
}

/// `count:manufacturer:model:MiB each`.
fn gpu(cell: &str) -> Option<Gpu> {
    let parts: Vec<&str> = cell.split(':').collect();
    let [count, manufacturer, name, memory_mib] = parts[..] else { return None };
    let [manufacturer, name] = [manufacturer, name].map(Arc::from);
    Some(Gpu { count: count.parse().ok()?, manufacturer, name, memory_mib: memory_mib.parse().ok()? })
}

/// `kind:count:model:MiB each`.
fn accelerator(cell: &str) -> Option<Accelerator> {
    let parts: Vec<&str> = cell.split(':').collect();
    let [kind, count, name, memory_mib] = parts[..] else { return None };
    let (kind, count, memory_mib) = (kind.parse().ok()?, count.parse().ok()?, memory_mib.parse().ok()?);
    Some(Accelerator { kind, count, name: name.into(), memory_mib })
}

/// Reads `offers.tsv`.
pub(super) fn offers(text: &str, types: &[InstanceType]) -> Result<Offers, CatalogError> {
    let (mut header, body) = rows(CatalogFile::Offers, text)?;
    header.take("name")?;
    let (mut regions, mut zones) = (Vec::new(), Vec::new());
    while let Some(cell) = header.next() {
        let (region, ids) = header.field(cell, cell.split_once(':').ok_or("it is written as region:zone,zone"))?;
        regions.push(header.field::<Region, _>(cell, region.parse())?);
        zones.push(header.field::<Vec<AzId>, _>(cell, ids.split(',').map(str::parse).collect())?);
    }
    if !regions.is_sorted() || !zones.iter().all(|ids: &Vec<AzId>| ids.is_sorted() && ids.len() < 64) {
        return Err(header.refuse("header", "regions and zones are not in order"));
    }
    let mut offered: Vec<Vec<Zone>> = zones.iter().map(|ids| vec![Zone::empty(types.len()); ids.len()]).collect();
    for mut row in body {
        let id = known(&mut row, types)?;
        for (region, zones) in regions.iter().zip(&mut offered) {
            let mask = row.optional(region.as_str(), |cell| u64::from_str_radix(cell, 16).ok())?.unwrap_or(0);
            if mask >> zones.len() != 0 {
                return Err(row.refuse(region.as_str(), "it names more zones than the header"));
            }
            for (_, zone) in zones.iter_mut().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
                zone.add(id);
            }
        }
        row.end("last")?;
    }
    let ids = zones.iter().flatten().cloned();
    let offered = ids.zip(offered.into_iter().flatten()).collect();
    Ok(Offers { regions, zones, offered })
}

/// Reads `prices.tsv`.
pub(super) fn prices(text: &str, types: &[InstanceType], regions: &[Region]) -> Result<Prices, CatalogError> {
    let (header, body) = rows(CatalogFile::Prices, text)?;
    let names = ["name", "windows", "rhel", "suse"].into_iter().chain(regions.iter().map(Region::as_str));
    if !header.text().split('\t').eq(names) {
        return Err(header.refuse("header", "the columns are not the three products and the regions of offers.tsv"));
    }
    let mut prices = Prices::unknown(types.len(), regions.len());
    for mut row in body {
        let id = known(&mut row, types)?;
        let [windows, rhel, suse] = [row.usd("windows")?, row.usd("rhel")?, row.usd("suse")?];
        prices.set_fees(id, Fees { windows, rhel, suse });
        for (index, region) in regions.iter().enumerate() {
            prices.set_linux(index, id, row.usd(region.as_str())?);
        }
        row.end("last")?;
    }
    Ok(prices)
}

/// The type that a line is about.
fn known(row: &mut Row<'_>, types: &[InstanceType]) -> Result<TypeId, CatalogError> {
    let name = row.take("name")?;
    row.field("name", find(types, name).ok_or("types.tsv has no such type"))
}
