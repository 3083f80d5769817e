//! Shards that another machine has computed.

use std::fs;

use data::commit;

use crate::harness::Work;

/// As after copying the shards of another machine, whose last bits may differ, over those of this one.
#[test]
fn an_intact_shard_of_another_machine_is_kept() {
    let work = Work::new(3);
    work.extract("out", &[]).unwrap();
    let golden = work.files("out");
    let record = work.path("out/provenance.json");
    let shard = "train-00000.safetensors";
    // The record has another digest of it, or there is no record.
    let text = fs::read_to_string(&record).unwrap();
    let at = text.find(&format!("\"{shard}\":\"")).unwrap() + shard.len() + 4;
    let other_digest = format!("{}{}{}", &text[..at], "0".repeat(64), &text[at + 64..]);
    commit::write_bytes(&record, other_digest.as_bytes()).unwrap();
    work.remove_pictures(&work.rows);
    work.extract("out", &[]).unwrap();
    assert_eq!(work.files("out"), golden);
    for name in ["provenance.json", "index.json", "rejects.csv"] {
        fs::remove_file(work.path("out").join(name)).unwrap();
    }
    work.extract("out", &[]).unwrap();
    assert_eq!(work.files("out"), golden);
}
