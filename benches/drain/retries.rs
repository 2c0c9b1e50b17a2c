//! Deliveries of one endpoint that failed once and are all due, as when a receiver is back.

use std::time::Duration;

use posthaste::model::clock;
use posthaste::model::delivery::DeliveryId;
use posthaste::model::event::EventKey;

use crate::drain::{self, Drained};
use crate::due::{Row, Waiting};
use crate::receipts::{Receiver, Wanted};
use crate::sample::Sample;
use crate::stage::{self, Stage};

const CHUNK: usize = 20_000;
/// How long ago they were accepted and attempted, and for how long they have been due.
const AGO: Duration = Duration::from_secs(120);
const OVERDUE: Duration = Duration::from_secs(60);

pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, sample: &Sample) -> Drained {
    let scene = stage.scene(&receiver.url(&sample.name)).await;
    stage::end(scene.first_worker().await).await;
    let (accepted_at, data) = (clock::now() - AGO, sample.data());
    let due = clock::unix_seconds(clock::now() - OVERDUE);
    let waiting = Waiting { accepted: clock::unix_seconds(accepted_at), due, attempts: 1, data: &data };
    let row = |event: String| {
        let key = EventKey { tenant: "default".into(), id: event.as_str().into() };
        Row { id: DeliveryId::of(accepted_at, &key, 1).to_string(), endpoint: 1, tenant: "default".to_owned(), event }
    };
    let rows: Vec<_> = sample.ids().map(row).collect();
    for rows in rows.chunks(CHUNK) {
        scene.load_waiting(rows, &waiting).await;
    }
    scene.sql.batch_execute("ANALYZE").await.expect("the tests' user may");
    scene.begin().await;
    drain::work_off(receiver, &scene, &Wanted::of(sample)).await
}
