//! Rows as they were written once stay readable, and are written the same; chunks are limited.

use std::fmt::Debug;

use super::*;
use crate::hours::{AccountHour, HourClosed};
use crate::task::Flags;

fn stays<T: Serialize + DeserializeOwned + Debug>(text: &str) {
    let row: T = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&row).unwrap(), text, "{row:?}");
}

#[test]
fn rows_of_format_1_stay_readable() {
    let open = r#""open":[[3600000,"savings"]]"#;
    stays::<Head>(&format!(r#"{{"format":1,"path":"task","next":7200000,"snapshot":3600000,"last":null,{open}}}"#));
    let basis = r#"{"net_savings":{"rate_ppm":150000,"step_micro_usd":1000,"cap_micro_usd":25000}}"#;
    let rest = r#""lines":["ab"],"late":[],"task":"arn","at":7200000,"notes":["n"]}"#;
    let dimension = format!(r#"{{"name":"savings","basis":{basis},"places":3}}"#);
    stays::<MeteredHour>(&format!(r#"{{"format":1,"hour":3600000,"mode":"on","dimensions":[{dimension}],{rest}"#));
    let part = r#"{"before":-1,"amount":170141183460469231731,"returned":2,"dropped":3,"units":4,"carry":5}"#;
    stays::<Line>(&format!(r#"{{"account":"000000000001","parts":[{part},{{}}]}}"#));
    for state in [
        r#"{"held":{"why":"old"}}"#,
        r#"{"sending":{"task":"arn","digest":"ab","until":9}}"#,
        r#"{"accepted":{"id":"r","units":4,"carried":null}}"#,
        r#"{"accepted":{"id":null,"units":4,"carried":7200000}}"#,
        r#"{"refused":{"why":"throttled"}}"#,
        r#"{"unknown":{"task":"arn","digest":"ab"}}"#,
        r#"{"written_off":{"why":"trial"}}"#,
        r#"{"carried":{"into":7200000}}"#,
    ] {
        let first = r#""hour":3600000,"dimension":"savings","quantity":{"units":4,"places":3},"step":1000000000"#;
        let last = r#""path":"seller","allocated":true"#;
        let notes = r#"[{"at":9,"text":"t"}]"#;
        stays::<Record>(&format!(r#"{{"format":1,{first},{last},"state":{state},"notes":{notes}}}"#));
    }
    stays::<Flags>(
        r#"{"format":1,"last_run":9,"failing_since":8,"failing_why":"w","unknown":0,"alarm":false,"hold_swaps":false}"#,
    );
}

#[test]
fn rows_handed_over_stay_readable() {
    let counts = r#"{"net_micro_usd":-5,"instance_seconds":60,"managed":1}"#;
    let entry = format!(r#"{{"seq":1,"at":9,"counts":{counts},"why":"late"}}"#);
    let whose = r#""format":1,"hour":3600000,"account":"000000000001""#;
    stays::<AccountHour>(&format!(r#"{{{whose},"entries":[{entry}]}}"#));
    stays::<HourClosed>(r#"{"format":1,"hour":3600000,"accounts":2,"at":9}"#);
    let late = format!(r#"{{{whose},"entry":{entry},"before":{counts}}}"#);
    stays::<Late>(&late);
    stays::<Taken>(&format!(r#"{{"late":{late},"mode":"trial"}}"#));
}

#[test]
fn chunks_are_limited_and_whole() {
    let things: Vec<String> = (0..9000).map(|n| format!("{n:0100}")).collect();
    let made = chunks(&things).unwrap();
    assert!(made.len() > 2 && made.iter().all(|chunk| chunk.len() <= CHUNK_BYTES + 1));
    let read: Vec<String> =
        made.iter().flat_map(|chunk| serde_json::from_slice::<Vec<String>>(chunk).unwrap()).collect();
    assert_eq!(read, things);
    assert_eq!(chunks::<String>(&[]).unwrap(), Vec::<Vec<u8>>::new());
}
