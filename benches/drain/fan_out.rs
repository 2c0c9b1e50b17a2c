//! Each event goes to ten endpoints, each with a host of its own.

use crate::drain::{self, Drained};
use crate::receipts::Receiver;
use crate::sample::Sample;
use crate::stage::Stage;

const ENDPOINTS: usize = 10;

/// The sample's number is that of the deliveries; there is a tenth as many events.
pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, sample: &Sample) -> Drained {
    let paths: Vec<_> = (0..ENDPOINTS).map(|number| format!("{}/{number}", sample.name)).collect();
    let scene = stage.empty().await;
    for (number, path) in paths.iter().enumerate() {
        scene.register(path, &receiver.nth_url(number, path), "*").await;
    }
    scene.begin().await;
    let ids: Vec<_> = sample.ids().step_by(ENDPOINTS).collect();
    drain::push(&scene, ids.iter().map(|id| sample.body(id))).await;
    let wanted = ids.iter().flat_map(|id| paths.iter().map(|path| (path, id.clone()))).collect();
    drain::work_off(receiver, &scene, &wanted).await
}
