//! What happens before anything is sent: limits, chunks, sealing, linger, wake-ups, placing.
use super::scene::Scene;
use crate::config::Partitioner;
use crate::error::{BrokerError, Kind};
use crate::producer::{Needs, NewRecord, Refused};
use crate::scenario::{MS, SECOND, producer_settings};

fn warm(settings: &crate::config::ProducerSettings) -> Scene {
    let mut scene = Scene::new(settings);
    scene.produce(0, b"warm", None);
    scene.answer_all(SECOND);
    assert_eq!(scene.shared.outstanding(), 0);
    scene
}

#[test]
fn the_user_limits_count_records_and_values() {
    let mut settings = producer_settings();
    (settings.queue_max_messages, settings.queue_max_bytes) = (3, 100);
    let mut scene = Scene::new(&settings);
    for _ in 0..3 {
        scene.produce(0, b"12345", Some(1));
    }
    assert_eq!(scene.append(&Scene::record(0, b"x"), None), Err(Refused::Full { reports: 0 }));
    scene.answer_all(0);
    let mut scene = Scene::new(&settings);
    scene.produce(0, &[0; 60], None);
    assert_eq!(scene.append(&Scene::record(0, &[0; 41]), None), Err(Refused::Full { reports: 0 }));
    scene.produce(0, &[0; 40], None);
}

#[test]
fn a_record_with_a_callback_counts_until_it_was_served_and_the_others_until_acknowledged() {
    let mut settings = producer_settings();
    settings.queue_max_messages = 2;
    let mut scene = warm(&settings);
    scene.produce(0, b"a", Some(1));
    scene.produce(0, b"b", None);
    scene.pass(10 * MS);
    scene.answer(&super::scene::Reply { base_offset: 5, log_append_time_ms: -1, ..Default::default() });
    scene.turn();
    assert_eq!((scene.shared.outstanding(), scene.shared.reports_waiting()), (1, 1));
    scene.produce(0, b"c", None);
    assert_eq!(scene.append(&Scene::record(0, b"d"), None), Err(Refused::Full { reports: 1 }));
    assert_eq!(scene.serve(), [(1, 5, None)]);
    scene.produce(0, b"d", None);
}

#[test]
fn too_large_unknown_and_closed_are_refused() {
    let mut scene = warm(&producer_settings());
    let large = vec![0; 1_000_000];
    assert!(matches!(scene.append(&Scene::record(0, &large), None), Err(Refused::TooLarge { limit: 1_000_000, .. })));
    for partition in [2, -2, i32::MIN] {
        assert_eq!(scene.append(&Scene::record(partition, b"x"), None), Err(Refused::UnknownPartition));
    }
    scene.shared.close();
    assert_eq!(scene.append(&Scene::record(0, b"x"), None), Err(Refused::Closed));
}

#[test]
fn each_refusal_of_a_record_is_an_error_of_the_table() {
    let code = |refused: Refused| refused.error().map(|error| (error.kind, error.code()));
    let full = Refused::Full { reports: 0 };
    for (refused, expected) in [
        (Refused::TooLarge { size: 2, limit: 1 }, Some((Kind::MessageSizeTooLarge, 10))),
        (Refused::UnknownPartition, Some((Kind::UnknownPartition, -190))),
        (Refused::Topic(3), Some((Kind::UnknownTopic, -188))),
        // An invalid name, as in the original; a report says 17.
        (Refused::Topic(17), Some((Kind::UnknownTopic, -188))),
        (Refused::Topic(29), Some((Kind::Broker(BrokerError(29)), 29))),
        (Refused::Closed, None),
        (Refused::Fatal, None),
        (full, None),
        (Refused::Needs(Needs::Topic), None),
    ] {
        assert_eq!(code(refused), expected, "{refused:?}");
    }
}

#[test]
fn io_is_woken_on_edges_alone() {
    let mut scene = warm(&producer_settings());
    assert_eq!(scene.append(&Scene::record(0, b"first"), None), Ok(true), "the first of an idle client arms linger");
    for _ in 0..100 {
        assert_eq!(scene.append(&Scene::record(0, b"more"), None), Ok(false));
    }
    scene.turn();
    assert_eq!(scene.append(&Scene::record(0, b"more"), None), Ok(false), "io knows of the open batch");
    assert!(scene.flush() && !scene.flush(), "one flush tells io once");
}

#[test]
fn a_full_batch_is_sealed_and_wakes_io() {
    let mut settings = producer_settings();
    settings.batch_num_messages = 10;
    let mut scene = warm(&settings);
    let wakes: Vec<bool> = (0..25).map(|_| scene.append(&Scene::record(0, b"x"), None).expect("room")).collect();
    assert_eq!(wakes.iter().filter(|wake| **wake).count(), 1, "told once until it comes");
    scene.turn();
    // The open batch of 5 waits for its linger, the two full ones are on their way one after the other.
    let sizes: Vec<usize> = scene.got().iter().map(|got| got.values.len()).collect();
    assert_eq!(sizes, [10, 10]);
}

#[test]
fn batch_size_bounds_a_batch() {
    let mut settings = producer_settings();
    settings.batch_size = 10_000;
    let mut scene = warm(&settings);
    for _ in 0..50 {
        scene.produce(0, &[7; 1000], None);
    }
    scene.flush();
    scene.answer_all(SECOND);
    assert_eq!(scene.log.len(), 51);
    let mut scene = warm(&settings);
    for _ in 0..9 {
        scene.produce(0, &[7; 1000], None);
    }
    scene.turn();
    assert!(scene.got().is_empty(), "linger has not passed and the batch is not full");
    scene.produce(0, &[7; 1000], None);
    scene.turn();
    assert!(scene.got().iter().all(|got| got.header.whole_length() <= 10_000) && scene.got().len() == 1);
}

#[test]
fn linger_is_waited_for_and_flush_is_not() {
    let mut scene = warm(&producer_settings());
    scene.produce(0, b"a", None);
    scene.pass(4 * MS);
    assert!(scene.got().is_empty());
    scene.pass(2 * MS);
    assert_eq!(scene.got().len(), 1);
    scene.produce(1, b"b", None);
    scene.flush();
    scene.turn();
    assert_eq!(scene.got().len(), 2);
}

#[test]
fn large_records_are_linked_and_arrive_whole_in_order() {
    let mut scene = warm(&producer_settings());
    let values: Vec<Vec<u8>> = (0..40).map(|number| vec![number as u8; number * 1000 + 1]).collect();
    for value in &values {
        scene.produce(0, value, Some(value.len() as u32));
    }
    scene.flush();
    scene.answer_all(SECOND);
    let sent: Vec<Vec<u8>> = scene.log[1..].iter().map(|(_, value)| value.clone()).collect();
    assert!(sent == values, "lengths {:?}", sent.iter().map(Vec::len).collect::<Vec<_>>());
}

#[test]
fn records_before_metadata_are_placed_in_order_with_their_tickets() {
    let mut settings = producer_settings();
    settings.partitioner = Partitioner::Consistent;
    let mut scene = Scene::new(&settings);
    let values: Vec<String> = (0..500).map(|number| format!("{number:0width$}", width = 1 + number * 20)).collect();
    for (number, value) in values.iter().enumerate() {
        let partition = [-1, 0, 1, -1][number % 4];
        let record = NewRecord { key: Some(b"key"), ..Scene::record(partition, value.as_bytes()) };
        scene.append(&record, Some(number as u32)).expect("room");
    }
    scene.produce(5, b"nowhere", Some(9999));
    scene.flush();
    scene.turn();
    let unknown: Vec<_> = scene.serve();
    assert_eq!(unknown, [(9999, -1, Some(-190))], "a partition that the topic does not have fails its record alone");
    let mut reports = Vec::new();
    for _ in 0..100 {
        scene.pass(MS);
        while scene.scenario.oldest(ottla_protocol::api::ApiKey::Produce).is_some() {
            scene.answer(&super::scene::Reply { base_offset: 100, log_append_time_ms: -1, ..Default::default() });
            scene.turn();
        }
        reports.extend(scene.serve());
    }
    assert_eq!(scene.shared.outstanding(), 0);
    let mut tickets: Vec<u32> = reports.iter().map(|(ticket, ..)| *ticket).collect();
    tickets.sort_unstable();
    assert_eq!(tickets, (0..500).collect::<Vec<u32>>());
    let key = ottla_protocol::crc::crc32(b"key") % 2;
    for partition in 0..2 {
        let sent: Vec<&[u8]> =
            scene.log.iter().filter(|(other, _)| *other == partition).map(|(_, value)| &value[..]).collect();
        let chosen = |number: usize| [key as i32, 0, 1, key as i32][number % 4] == partition;
        let expected: Vec<&[u8]> = values
            .iter()
            .enumerate()
            .filter(|(number, _)| chosen(*number))
            .map(|(_, value)| value.as_bytes())
            .collect();
        assert!(sent == expected, "partition {partition}: {} of {}", sent.len(), expected.len());
    }
}

#[test]
fn keyless_records_stay_with_a_partition_for_a_batch() {
    let mut scene = warm(&producer_settings());
    for _ in 0..20 {
        for _ in 0..50 {
            scene.produce(-1, b"x", None);
        }
        scene.flush();
        scene.turn();
        assert_eq!(scene.got().len(), 1, "all of a batch go to one partition");
        scene.answer(&super::scene::Reply { log_append_time_ms: -1, ..Default::default() });
        scene.turn();
    }
    let in_first = scene.log.iter().filter(|(partition, _)| *partition == 0).count();
    assert!(in_first > 100 && in_first < 900, "both partitions are used: {in_first}");
}

#[test]
fn an_idle_client_gives_its_memory_back_within_five_seconds_and_rests() {
    let mut scene = warm(&producer_settings());
    assert!(scene.shared.has_free_chunks());
    scene.pass(3 * SECOND);
    assert!(scene.shared.has_free_chunks(), "a pause is no idleness");
    scene.pass(2 * SECOND);
    assert!(!scene.shared.has_free_chunks());
    let until_us = scene.turn().unwrap_or(u64::MAX);
    assert!(until_us > scene.scenario.now.mono_us + 10 * SECOND, "nothing is left to do");
    scene.produce(0, b"again", None);
    scene.answer_all(SECOND);
    assert_eq!(scene.log.last(), Some(&(0, b"again".to_vec())));
}
