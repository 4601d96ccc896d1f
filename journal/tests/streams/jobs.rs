use std::time::Duration;

use async_nats::jetstream::{AckKind, Message, consumer::PullConsumer};
use domain::jobs::{JobKind, Priority};
use futures::StreamExt;
use journal::jobs::{JobPointer, JobStream};

use crate::fixture::{connect, soon, wipe};

const ACK_WAIT: Duration = Duration::from_secs(30);

fn pointer(job: &str) -> JobPointer {
    JobPointer { job: job.into(), attempt: 1 }
}

async fn release(jobs: &JobStream, job: &str, release: u64) -> u64 {
    jobs.publish(JobKind::Scan, Priority::High, &pointer(job), release).await.unwrap()
}

async fn take(consumer: &PullConsumer) -> (JobPointer, Message) {
    let message = soon(async {
        loop {
            let pull = consumer.batch().max_messages(1).expires(Duration::from_secs(5));
            if let Some(message) = pull.messages().await.unwrap().next().await {
                return message.unwrap();
            }
        }
    })
    .await;
    (serde_json::from_slice(&message.payload).unwrap(), message)
}

#[tokio::test]
async fn a_release_is_held_until_a_worker_is_done_with_it() {
    let nats = testkit::nats().await;
    let jobs = JobStream::open(&connect(&nats).await).await.unwrap();
    let sequence = release(&jobs, "scan_1", 1).await;
    assert_eq!(release(&jobs, "scan_1", 1).await, sequence);
    assert_ne!(release(&jobs, "scan_2", 1).await, sequence);

    let consumer = jobs.consumer(JobKind::Scan, ACK_WAIT, 10).await.unwrap();
    let (taken, message) = take(&consumer).await;
    assert_eq!(taken, pointer("scan_1"));
    assert_eq!(message.subject.as_str(), "test.jobs.scan.high");
    assert!(jobs.holds(sequence).await.unwrap());
    message.double_ack_with(AckKind::Ack).await.unwrap();
    assert!(!jobs.holds(sequence).await.unwrap());
    assert_eq!(take(&consumer).await.0, pointer("scan_2"));
}

#[tokio::test]
async fn what_a_worker_gives_back_is_delivered_again() {
    let nats = testkit::nats().await;
    let jobs = JobStream::open(&connect(&nats).await).await.unwrap();
    release(&jobs, "scan_1", 1).await;
    let consumer = jobs.consumer(JobKind::Scan, ACK_WAIT, 10).await.unwrap();
    for delivered in 1..=3 {
        let (taken, message) = take(&consumer).await;
        assert_eq!(taken, pointer("scan_1"));
        assert_eq!(message.info().unwrap().delivered, delivered);
        message.ack_with(AckKind::Nak(None)).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_queue_is_made_again_by_whoever_needs_it() {
    let mut nats = testkit::nats().await;
    let bus = connect(&nats).await;
    let jobs = JobStream::open(&bus).await.unwrap();
    let lost = release(&jobs, "scan_1", 1).await;
    wipe(&mut nats).await;
    assert!(!jobs.holds(lost).await.unwrap());

    // By the dispatcher; nothing of the old queue is taken for what is in the new one.
    let sequence = release(&jobs, "scan_1", 2).await;
    assert!(jobs.holds(sequence).await.unwrap());
    assert!(!jobs.holds(lost).await.unwrap());

    // By a worker.
    wipe(&mut nats).await;
    let consumer = jobs.consumer(JobKind::Scan, ACK_WAIT, 10).await.unwrap();
    release(&jobs, "scan_1", 3).await;
    assert_eq!(take(&consumer).await.0, pointer("scan_1"));
}

#[tokio::test]
async fn a_cancellation_is_heard_by_other_processes() {
    let nats = testkit::nats().await;
    let jobs = JobStream::open(&connect(&nats).await).await.unwrap();
    let worker = JobStream::open(&connect(&nats).await).await.unwrap();
    let mut heard = worker.cancellations().await.unwrap();
    // The subscription may come later than the first signal, so it is repeated.
    let job = soon(async {
        loop {
            jobs.signal_cancel("scan_1").await.unwrap();
            let signal = tokio::time::timeout(Duration::from_millis(50), heard.next()).await;
            if let Ok(job) = signal {
                return job;
            }
        }
    });
    assert_eq!(job.await.as_deref(), Some("scan_1"));
    for bad in ["scan.*", "scan.1", ">", ""] {
        assert!(jobs.signal_cancel(bad).await.is_err(), "{bad} was signalled");
    }
}
