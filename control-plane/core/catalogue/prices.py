"""Which rows of libcloud's price table are Shared-tenancy prices, and what the others should say.

The table mixes Dedicated-tenancy prices (6 or 10 percent above), zeroes and bring-your-own-licence
rows into the Shared ones, about every third row (most of Windows), independently for each product. Two regularities
tell them apart, and neither needs another source:

* the sizes of a family stand in the same proportion to each other in every region, so one price of
  a family in a region stands for all of them;
* Red Hat's price is Linux plus a published fee per vCPU, a second, independently spoilt look.

So each family and region gets a *base*: the lowest value on which enough looks agree (lowest, since
every error that repeats itself is a surcharge). A row that fits its base stays as it is
(`validated`); any other is computed from the base (`derived`); without agreement there is no price.
"""

import collections
import csv
import gzip
import statistics
# Red Hat Enterprise Linux on EC2, USD per vCPU-hour since 2024-07-01, by the size of the machine.
RHEL_FEES = ((8, 0.0144), (127, 0.0108), (1 << 20, 0.0096))
# Windows Server, licence included, USD per vCPU-hour on fixed-performance types.
WINDOWS_FEE = 0.046
# List prices lowered after the table's date (2025-03-02): no price is better than one that is too high.
STALE_FAMILIES = {"p4d", "p4de", "p5", "p5en", "u7i-12tb", "u7in-16tb", "u7in-24tb", "u7in-32tb"}
# Prices are printed with four to five digits, so true ones differ by up to half a percent from their base.
FIT = 0.006
# Old families are priced in whole tenths of a cent; half of one is up to 1.6 % of their small sizes.
FIT_ROUNDED_USD, FIT_ROUNDED = 0.0005, 0.016
# Looks are grouped within this distance; Dedicated prices start 4 % above.
GROUP = 0.004
# A base needs this share of the looks that the best supported value has, and two at least.
SUPPORT_SHARE, SUPPORT_MIN = 0.3, 2
# Their Windows fee differs by region, and one figure for each type would be wrong in half of them.
REGIONAL_WINDOWS = {"d2", "h1", "i2", "r3"}

SIZES = {"nano": 0.25, "micro": 0.5, "small": 1, "medium": 2, "large": 4, "xlarge": 8}


def text(usd):
    """A price in USD with at most six decimals and no trailing zeroes."""
    return f"{usd:.6f}".rstrip("0").rstrip(".")


def tidy(usd):
    """A computed price with the fewest decimals that keep it within 0.05 %, as price lists print it."""
    return next((round(usd, d) for d in (2, 3, 4) if abs(round(usd, d) - usd) <= 0.0005 * usd), round(usd, 5))


def fits(value, base):
    """Whether `value` is `base` up to the rounding of printed prices."""
    off = abs(value - base)
    return off <= FIT * base or off <= min(FIT_ROUNDED_USD, FIT_ROUNDED * base)


def groups(values, width):
    """(support, median) of the values around each value."""
    around = ([v for v in values if abs(v / x - 1) <= width] for x in values)
    return [(len(near), statistics.median(near)) for near in around]


def mode(values, width=FIT):
    """The best supported value and its support; the lower one of two equals."""
    return max(groups(values, width), key=lambda g: (g[0], -g[1]), default=(0, None))


def rhel_fee(vcpu):
    """Red Hat's licence fee, USD per hour."""
    return vcpu * next(rate for limit, rate in RHEL_FEES if vcpu <= limit)


def steps(name, vcpu, siblings):
    """Size in units of `small`, by name; bare metal counts as the largest size with its vCPUs."""
    size = name.split(".")[1]
    if size in SIZES:
        return SIZES[size]
    if size.endswith("xlarge"):
        return 8 * int(size.removesuffix("xlarge"))
    same = [steps(n, v, {}) for n, v in siblings.items() if "metal" not in n and v == vcpu]
    return max(same, default=4 * vcpu / 2)


class Table:
    """libcloud's rows for the types that moto knows, with the vCPUs of each type."""

    def __init__(self, types, offers, table):
        self.rows = {p: table[f"ec2_{p}"] for p in ("linux", "windows", "rhel", "suse")}
        self.vcpu = {n: facts["VCpuInfo"]["DefaultVCpus"] for n, facts in types.items()}
        self.regions = sorted(offers)
        self.sold = {(n, r) for r, zones in offers.items() for names in zones.values() for n in names}
        self.burstable = {n for n, facts in types.items() if facts["BurstablePerformanceSupported"]}
        self.families = collections.defaultdict(list)
        for name in sorted(types):
            if name in self.rows["linux"] and name.split(".")[0] not in STALE_FAMILIES:
                self.families[name.split(".")[0]].append(name)

    def usd(self, product, name, region):
        """The row as it stands; None where it is zero or absent."""
        return self.rows[product].get(name, {}).get(region) or None

    def looks(self, name, region):
        """Independent looks at a Linux price: the row itself, and Red Hat's less its fee."""
        linux, rhel = self.usd("linux", name, region), self.usd("rhel", name, region)
        found = [linux, rhel and rhel - rhel_fee(self.vcpu[name])]
        return [usd for usd in found if usd and usd > 0]


def proportions(table, names):
    """Price of each size relative to the family's best documented one."""
    most = max(names, key=lambda n: (sum(len(table.looks(n, r)) for r in table.regions), n))
    siblings = {n: table.vcpu[n] for n in names}
    weight = {most: 1.0}
    for name in names:
        ratios = []
        for product, fee in (("linux", lambda _: 0.0), ("rhel", rhel_fee)):
            for region in table.regions:
                this, other = table.usd(product, name, region), table.usd(product, most, region)
                if this and other and name != most:
                    above = this - fee(table.vcpu[name])
                    below = other - fee(table.vcpu[most])
                    ratios += [above / below] if above > 0 and below > 0 else []
        linear = steps(name, table.vcpu[name], siblings) / steps(most, table.vcpu[most], siblings)
        support, ratio = mode(ratios)
        if sum(abs(r / linear - 1) <= FIT for r in ratios) >= max(SUPPORT_MIN, SUPPORT_SHARE * support):
            weight[name] = linear
        elif support >= SUPPORT_MIN:
            weight[name] = ratio
    return weight


def base(table, weight, region):
    """Price of the family's best documented size in a region; None where too few looks agree.

    A value that no Linux row has does not count while another one does: some Red Hat rows still carry
    the fees of before 2024-07, and two of them may agree by accident.
    """
    values = sorted(usd / w for name, w in weight.items() for usd in table.looks(name, region))
    rows = [(table.usd("linux", name, region), w) for name, w in weight.items()]
    own = [usd / w for usd, w in rows if usd]
    found = groups(values, GROUP)
    enough = max([SUPPORT_MIN, *(SUPPORT_SHARE * support for support, _ in found)])
    agreed = [median for support, median in found if support >= enough]
    seen = [median for median in agreed if any(abs(usd / median - 1) <= GROUP for usd in own)]
    return min(seen or agreed, default=None)


def solve_linux(table):
    """Linux prices and whether each is the table's own number."""
    linux, quality = {}, {}
    for names in table.families.values():
        weight = proportions(table, names)
        for region in table.regions:
            of_most = base(table, weight, region)
            for name in weight if of_most else ():
                if (name, region) not in table.sold or region not in table.rows["linux"][name]:
                    continue
                expected, row = of_most * weight[name], table.usd("linux", name, region)
                own = row is not None and fits(row, expected)
                linux[name, region] = row if own else tidy(expected)
                quality[name, region] = "validated" if own else "derived"
    return linux, quality


def differences(table, linux, product, name):
    """What a product costs more than Linux, over the regions where both are known."""
    over = []
    for region in table.regions:
        usd = table.usd(product, name, region)
        if usd and (name, region) in linux:
            over.append(usd - linux[name, region])
    return [usd for usd in over if usd > 0.001]


def windows_fees(table, linux):
    """Windows licence by type: a rate per vCPU where the family shows one, else type by type."""
    fees = {}
    for family, names in table.families.items():
        sold = [n for n in names if n in table.rows["windows"] and family not in REGIONAL_WINDOWS]
        rates = [d / table.vcpu[n] for n in sold for d in differences(table, linux, "windows", n)]
        standard = sum(abs(rate / WINDOWS_FEE - 1) <= FIT for rate in rates)
        support, rate = mode(rates)
        for name in sold:
            alone, fee = mode(differences(table, linux, "windows", name))
            if name in table.burstable:
                fees.update({name: round(fee, 4)} if alone >= 3 else {})
            elif standard >= max(SUPPORT_MIN, SUPPORT_SHARE * support):
                fees[name] = round(WINDOWS_FEE * table.vcpu[name], 6)
            elif support >= max(3, len(rates) / 2):
                fees[name] = round(round(rate, 4) * table.vcpu[name], 6)
    return fees


def suse_fees(table, linux):
    """SUSE's fee by type: the difference that most regions show."""
    fees = {}
    for name in sorted(n for names in table.families.values() for n in names):
        support, fee = mode(differences(table, linux, "suse", name))
        if support >= 3:
            fees[name] = round(fee, 4)
    return fees


def solve(types, offers, raw):
    """All prices: Linux by region, and the licence fee of each other product."""
    table = Table(types, offers, raw)
    linux, quality = solve_linux(table)
    rhel = {n: round(rhel_fee(table.vcpu[n]), 6) for n in {n for n, _ in linux} if n in table.rows["rhel"]}
    fees = {"windows": windows_fees(table, linux), "rhel": rhel, "suse": suse_fees(table, linux)}
    return Result(linux, quality, fees, len(table.sold))


class Result(collections.namedtuple("Result", "linux quality fees sold")):
    """Solved prices in USD per hour: linux[(type, region)] and fees[product][type]."""

    def summary(self):
        """One line on what was found and how."""
        kinds = collections.Counter(self.quality.values())
        fees = ", ".join(f"{product} {len(found)}" for product, found in self.fees.items())
        return (
            f"linux prices: {kinds['validated']} validated, {kinds['derived']} derived, "
            f"of {self.sold} offered (type, region) pairs; licence fees by type: {fees}"
        )

    def price(self, product, name, region):
        """Price of a product, or None."""
        linux = self.linux.get((name, region))
        if linux is None or product == "linux":
            return linux
        fee = self.fees[product].get(name)
        return None if fee is None else linux + fee


def judge(found, path):
    """Prints how many prices agree within 0.5 % with an independent list."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [r for r in csv.DictReader(lines) if r["quality"] in ("observed", "validated")]
    tally, wrong = collections.Counter(), []
    for row in rows:
        product = row["os"].lower()
        ours = found.price(product, row["instance_type"], row["region"])
        if ours is None:
            continue
        theirs = float(row["usd_per_hour"])
        agrees = abs(ours - theirs) <= 0.005 * theirs
        tally[product, row["quality"], agrees] += 1
        if not agrees:
            wrong.append((product, row["instance_type"], row["region"], text(ours), theirs, row["quality"]))
    for product in ("linux", "windows", "rhel", "suse"):
        for kinds in (("observed",), ("validated",), ("observed", "validated")):
            good = sum(tally[product, kind, True] for kind in kinds)
            every = good + sum(tally[product, kind, False] for kind in kinds)
            if every:
                print(f"{product:8} {'+'.join(kinds):19} {good:6} of {every:6} agree: {100 * good / every:.2f} %")
    by_family = collections.Counter((product, name.split(".")[0]) for product, name, *_ in wrong)
    for (product, family), count in by_family.most_common(12):
        print(f"  off: {count:4} {product} {family}", next(w[1:] for w in wrong if w[0] == product and w[1].startswith(family + ".")))
