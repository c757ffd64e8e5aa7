//! How long the catalogue takes to read, and its questions to answer.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use spothub_core::catalog::{Arch, Catalog, Product};
use spothub_core::compat::{Needs, Substitutes};

const TYPES: &str = include_str!("../catalogue/types.tsv");
const OFFERS: &str = include_str!("../catalogue/offers.tsv");
const PRICES: &str = include_str!("../catalogue/prices.tsv");

fn parse(criterion: &mut Criterion) {
    criterion.bench_function("catalog/parse", |bench| {
        bench.iter(|| Catalog::parse(black_box(TYPES), black_box(OFFERS), black_box(PRICES)).map(|c| c.len()));
    });
}

fn questions(criterion: &mut Criterion) {
    let catalog = Catalog::embedded();
    let old = catalog.by_name("m5.large").expect("the catalogue has m5.large");
    let region = &catalog.regions()[0];
    criterion.bench_function("catalog/by_name", |bench| bench.iter(|| catalog.by_name(black_box("m5.large"))));
    criterion.bench_function("catalog/on_demand", |bench| {
        bench.iter(|| catalog.on_demand(black_box(region), Product::Windows, black_box(old)));
    });
}

fn substitutes(criterion: &mut Criterion) {
    let catalog = Catalog::embedded();
    let old = catalog.by_name("m5.large").expect("the catalogue has m5.large");
    let mut needs = Needs::modern(Product::Linux, Arch::X86_64);
    needs.denied = ["t*", "*.metal*", "c5a.*"].iter().map(|glob| glob.parse().expect("a pattern")).collect();
    criterion.bench_function("substitutes/first", |bench| {
        bench.iter_batched_ref(
            || Substitutes::new(catalog),
            |substitutes| substitutes.of(black_box(old), black_box(&needs)).len(),
            criterion::BatchSize::SmallInput,
        );
    });
    let warm = Substitutes::new(catalog);
    for volumes in 1..=32 {
        let other = Needs { volumes, ..needs.clone() };
        warm.of(old, &other);
    }
    criterion.bench_function("substitutes/again", |bench| {
        bench.iter(|| warm.of(black_box(old), black_box(&needs)).len());
    });
}

criterion_group!(benches, parse, questions, substitutes);
criterion_main!(benches);
