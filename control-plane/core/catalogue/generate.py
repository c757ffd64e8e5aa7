#!/usr/bin/env python3
"""Writes the catalogue that spothub-core embeds: types.tsv, offers.tsv, prices.tsv.

Every fact comes from two packages on PyPI, both Apache-2.0 (see NOTICE at the top of the tree):
moto's recorded answers of DescribeInstanceTypes and DescribeInstanceTypeOfferings, and the price
table of apache-libcloud. Run it with Python 3.11 and nothing installed; README.md beside it
documents the columns, the price rule and the figures of the last run.

    ./generate.py                      download the pinned packages, write the three files
    ./generate.py --packages DIR       use wheels already in DIR
    ./generate.py --judge PRICES.csv.gz  compare the prices with an independent list, write nothing
"""

import argparse
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

sys.dont_write_bytecode = True
import prices  # noqa: E402, beside this file

PACKAGES = {"moto": "5.2.5", "apache_libcloud": "3.9.1"}
HERE = pathlib.Path(__file__).resolve().parent
NONE = "-"


def fetch(folder):
    """Downloads the pinned wheels into `folder`, without their dependencies."""
    wanted = [f"{name.replace('_', '-')}=={version}" for name, version in PACKAGES.items()]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*command, "--dest", str(folder), *wanted], check=True)


def wheel(folder, name):
    """The one wheel of the pinned version; a wheel is a zip, so nothing needs installing."""
    found = sorted(pathlib.Path(folder).glob(f"{name}-{PACKAGES[name]}-*.whl"))
    if len(found) != 1:
        sys.exit(f"{folder}: expected one wheel of {name} {PACKAGES[name]}, found {len(found)}")
    return zipfile.ZipFile(found[0])


def read_types(moto):
    """Instance types by name, as DescribeInstanceTypes reports them."""
    return json.loads(gzip.decompress(moto.read("moto/ec2/resources/instance_types.json.gz")))


def read_offers(moto):
    """{region: {zone id: set of type names}}, from DescribeInstanceTypeOfferings."""
    pattern = re.compile(r"instance_type_offerings/availability-zone-id/([a-z0-9-]+)\.json\.gz$")
    regions = {}
    for path in sorted(moto.namelist()):
        match = pattern.search(path)
        if not match:
            continue
        zones = regions.setdefault(match.group(1), {})
        for row in json.loads(gzip.decompress(moto.read(path))):
            zones.setdefault(row["Location"], set()).add(row["InstanceType"])
    return regions


def flags(facts):
    """Yes-or-no facts that hold, in a fixed order."""
    words = [
        ("current", facts["CurrentGeneration"]),
        ("spot", "spot" in facts["SupportedUsageClasses"]),
        ("burstable", facts["BurstablePerformanceSupported"]),
        ("metal", facts["BareMetal"]),
        ("hibernation", facts["HibernationSupported"]),
    ]
    return ",".join(word for word, holds in words if holds) or NONE


def disks(facts):
    """`count x GB:medium:interface` of the instance store."""
    store = facts.get("InstanceStorageInfo")
    if not store:
        return NONE
    (disk,) = store["Disks"]
    if disk["Count"] * disk["SizeInGB"] != store["TotalSizeInGB"]:
        sys.exit(f"{facts['InstanceType']}: disks do not add up to the total")
    interface = "nvme" if store["NvmeSupport"] == "required" else "block"
    return f"{disk['Count']}x{disk['SizeInGB']}:{disk['Type']}:{interface}"


def gpus(facts):
    """`count:manufacturer:model:MiB each`; a share of a partitioned GPU counts as one small GPU."""
    rows = [
        f"{gpu['LogicalGpuCount']}:{gpu['Manufacturer']}:{gpu['Name']}:{gpu['MemoryInfo']['SizeInMiB']}"
        for gpu in facts.get("GpuInfo", {}).get("Gpus", [])
    ]
    return ";".join(rows) or NONE


def accelerators(facts):
    """`kind:count:model:MiB each`. Inferentia is listed under two headings by AWS: neuron wins."""
    rows = [("neuron", device) for device in facts.get("NeuronInfo", {}).get("NeuronDevices", [])]
    if not rows:
        rows = [("inference", d) for d in facts.get("InferenceAcceleratorInfo", {}).get("Accelerators", [])]
    rows += [("fpga", device) for device in facts.get("FpgaInfo", {}).get("Fpgas", [])]
    rows += [("media", device) for device in facts.get("MediaAcceleratorInfo", {}).get("Accelerators", [])]
    return ";".join(f"{k}:{d['Count']}:{d['Name']}:{d['MemoryInfo']['SizeInMiB']}" for k, d in rows) or NONE


def type_row(name, facts):
    """One line of types.tsv, as (column, text) pairs."""
    ebs = facts["EbsInfo"]
    optimized = ebs.get("EbsOptimizedInfo", {})
    return [
        ("name", name),
        ("vcpu", facts["VCpuInfo"]["DefaultVCpus"]),
        ("memory_mib", facts["MemoryInfo"]["SizeInMiB"]),
        ("arch", ",".join(sorted(facts["ProcessorInfo"]["SupportedArchitectures"]))),
        ("cpu", facts["ProcessorInfo"]["Manufacturer"]),
        ("hypervisor", facts.get("Hypervisor", NONE)),
        ("flags", flags(facts)),
        ("virtualization", ",".join(sorted(facts["SupportedVirtualizationTypes"]))),
        ("boot", ",".join(sorted(facts["SupportedBootModes"]))),
        ("ena", facts["NetworkInfo"]["EnaSupport"]),
        ("enis", facts["NetworkInfo"]["MaximumNetworkInterfaces"]),
        ("ebs_optimized", ebs["EbsOptimizedSupport"]),
        ("ebs_nvme", ebs["NvmeSupport"]),
        ("ebs_mbps", optimized.get("BaselineBandwidthInMbps", NONE)),
        ("ebs_iops", optimized.get("BaselineIops", NONE)),
        ("attachments", f"{ebs['MaximumEbsAttachments']}:{ebs['AttachmentLimitType']}"),
        ("disks", disks(facts)),
        ("gpus", gpus(facts)),
        ("accelerators", accelerators(facts)),
    ]


def types_table(types):
    """types.tsv: one line for each type, sorted by name."""
    rows = [type_row(name, types[name]) for name in sorted(types)]
    return [[column for column, _ in rows[0]]] + [[str(text) for _, text in row] for row in rows]


def offers_table(types, offers):
    """offers.tsv: per type and region a hexadecimal mask of the zones in the header (bit 0 first)."""
    header = ["name"] + [f"{region}:{','.join(sorted(offers[region]))}" for region in sorted(offers)]
    table = [header]
    for name in sorted(types):
        row = [name]
        for region in sorted(offers):
            zones = sorted(offers[region])
            mask = sum(1 << bit for bit, zone in enumerate(zones) if name in offers[region][zone])
            row.append(f"{mask:x}" if mask else NONE)
        table.append(row)
    return table


def prices_table(types, offers, found):
    """prices.tsv: Linux price by region and each other product's licence fee, in USD per hour."""
    regions = sorted(offers)
    table = [["name", "windows", "rhel", "suse", *regions]]
    for name in sorted(types):
        linux = [found.linux.get((name, region)) for region in regions]
        if not any(linux):
            continue
        fees = [found.fees[product].get(name) for product in ("windows", "rhel", "suse")]
        table.append([name] + [prices.text(usd) if usd else NONE for usd in [*fees, *linux]])
    return table


def write(name, table):
    """Writes one tab-separated file; the same input always gives the same bytes."""
    path = HERE / name
    path.write_text("".join("\t".join(row) + "\n" for row in table), encoding="utf-8")
    print(f"{name}: {len(table) - 1} rows, {path.stat().st_size} bytes")


def main():
    """Reads the packages, then writes the files or compares with the judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", metavar="DIR", help="folder with the wheels (default: download)")
    parser.add_argument("--judge", metavar="PATH", help="csv.gz with region,instance_type,os,usd_per_hour,...,quality")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.packages or scratch
        if not options.packages:
            fetch(folder)
        moto, libcloud = wheel(folder, "moto"), wheel(folder, "apache_libcloud")
        types, offers = read_types(moto), read_offers(moto)
        table = json.loads(libcloud.read("libcloud/data/pricing.json"))["compute"]
    found = prices.solve(types, offers, table)
    print(found.summary())
    if options.judge:
        prices.judge(found, options.judge)
        return
    write("types.tsv", types_table(types))
    write("offers.tsv", offers_table(types, offers))
    write("prices.tsv", prices_table(types, offers, found))


if __name__ == "__main__":
    main()
