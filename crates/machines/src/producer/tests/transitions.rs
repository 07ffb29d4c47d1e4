//! What becomes of the batches of a partition, whatever happens in whatever state; the whole table is kept in
//! `partition.transitions.txt`. What cannot happen in a state (an answer where nothing was asked) has no row.
use ottla_protocol::api::ApiKey;

use super::scene::{Reply, Scene, code};
use crate::machine::NodeId;
use crate::scenario::{MS, SECOND, producer_settings};

/// An input; `false` where it does not fit the state.
type Act = fn(&mut Scene) -> bool;
type Make = fn() -> Scene;

/// Batches of partition 0 that were sent (producer id and sequence), records that wait here, and and what was told since the last word: record and code.
fn word(scene: &mut Scene) -> String {
    scene.turn();
    let told: Vec<String> = scene
        .serve()
        .iter()
        .map(|(number, _, code)| format!("{number} {}", code.map_or("written".to_owned(), |code| code.to_string())))
        .collect();
    let got = scene.got();
    let sent: Vec<String> = got
        .iter()
        .map(|got| match got.header.producer_id {
            -1 => "plain".to_owned(),
            _ => format!("{}:{}", got.header.producer_epoch, got.header.base_sequence),
        })
        .collect();
    let records: usize = got.iter().map(|got| got.values.len()).sum();
    let mut words = Vec::new();
    words.extend((!sent.is_empty()).then(|| format!("sent {} to {}", sent.join(" "), got[0].asked.node.0)));
    let waiting = scene.shared.outstanding() - records;
    words.extend((waiting > 0).then(|| format!("{waiting} wait")));
    words.extend((!told.is_empty()).then(|| format!("told {}", told.join(", "))));
    let mut errors = scene.scenario.errors();
    errors.dedup();
    words.extend((!errors.is_empty()).then(|| format!("error {errors:?}")));
    if words.is_empty() { "nothing".to_owned() } else { words.join("; ") }
}

fn answered(scene: &mut Scene, error: i16) -> bool {
    let fits = scene.scenario.oldest(ApiKey::Produce).is_some();
    if fits {
        let base_offset = if error == 0 { 7 } else { -1 };
        scene.answer(&Reply { base_offset, ..code(error) });
    }
    fits
}

fn inputs() -> Vec<(&'static str, Act)> {
    vec![
        ("written", |scene| answered(scene, 0)),
        ("written before (46)", |scene| answered(scene, 46)),
        ("corrupt (2)", |scene| answered(scene, 2)),
        ("unknown (3)", |scene| answered(scene, 3)),
        ("not the leader (6)", |scene| answered(scene, 6)),
        ("timed out there (7)", |scene| answered(scene, 7)),
        ("too large (10)", |scene| answered(scene, 10)),
        ("too few replicas (19)", |scene| answered(scene, 19)),
        ("no right (29)", |scene| answered(scene, 29)),
        ("out of order (45)", |scene| answered(scene, 45)),
        ("fenced (47)", |scene| answered(scene, 47)),
        ("id unknown (59)", |scene| answered(scene, 59)),
        ("no code that is known (999)", |scene| answered(scene, 999)),
        ("the connection is lost", |scene| {
            scene.scenario.disconnect(NodeId(0));
            true
        }),
        ("the leader moves and is asked for", |scene| {
            scene.leader(0, 1, 2);
            answered(scene, 6)
        }),
        ("another record", |scene| {
            scene.produce(0, b"another", Some(9));
            scene.pass(10 * MS);
            true
        }),
        ("1 s", |scene| {
            scene.pass(SECOND);
            true
        }),
        ("its time is over", |scene| {
            scene.pass(301 * SECOND);
            true
        }),
    ]
}

fn made(idempotence: bool) -> Scene {
    let mut settings = producer_settings();
    (settings.idempotence, settings.batch_num_messages) = (idempotence, 1);
    Scene::new(&settings)
}

/// With so many batches of one record.
fn sent(mut scene: Scene, records: u8) -> Scene {
    for number in 0..records {
        scene.produce(0, &[number], Some(u32::from(number)));
    }
    scene.pass(10 * MS);
    scene
}

/// A first batch is written, two others are on their way.
fn pipelined() -> Scene {
    let mut scene = sent(made(true), 3);
    answered(&mut scene, 0);
    scene.turn();
    scene.serve();
    scene
}

fn then(mut scene: Scene, act: impl FnOnce(&mut Scene)) -> Scene {
    act(&mut scene);
    scene.turn();
    scene
}

fn states() -> Vec<(&'static str, Make)> {
    vec![
        ("empty", || made(true)),
        ("no leader", || {
            let mut scene = made(true);
            scene.leader(0, -1, 1);
            sent(scene, 1)
        }),
        ("first", || sent(made(true), 2)),
        ("pipelined", pipelined),
        ("to be tried again", || then(pipelined(), |scene| assert!(answered(scene, 7)))),
        ("tried again", || {
            then(pipelined(), |scene| {
                answered(scene, 7);
                answered(scene, 45);
                scene.pass(SECOND);
            })
        }),
        ("behind a refused sequence", || then(pipelined(), |scene| assert!(answered(scene, 45)))),
        ("behind a gap", || then(pipelined(), |scene| assert!(answered(scene, 10)))),
        ("plain", || sent(made(false), 2)),
        ("plain, to be tried again", || then(sent(made(false), 2), |scene| assert!(answered(scene, 6)))),
    ]
}

#[test]
fn the_table_of_transitions_is_as_kept() {
    let mut table = String::new();
    for (name, make) in states() {
        for (input, act) in inputs() {
            let mut scene = make();
            let from = word(&mut scene);
            if act(&mut scene) {
                let at_once = word(&mut scene);
                scene.pass(SECOND);
                let later = match word(&mut scene) {
                    later if later == at_once => String::new(),
                    later => format!("; 1 s later: {later}"),
                };
                table.push_str(&format!("{name} ({from}) --{input}--> {at_once}{later}\n"));
            }
        }
    }
    assert_eq!(table, include_str!("../partition.transitions.txt"));
}
