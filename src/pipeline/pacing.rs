//! Tells the other workers what was found out about endpoints here, follows what they found out, and asks for probes.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::lanes::News;
use super::patience::Patience;
use crate::faults;
use crate::ports::BackendError;

/// How soon the others know.
const EXCHANGE: Duration = Duration::from_millis(250);
/// How much longer than the endpoint's timeout a probe may take before somebody else makes one.
const PROBE: Duration = Duration::from_secs(5);

/// Runs until `stop`.
pub(super) async fn run(intake: Arc<Intake>, stop: CancellationToken) {
    let (mut patience, mut untold, mut known) = (Patience::new(), Vec::new(), 0);
    loop {
        untold.extend(intake.sending.lanes.news());
        faults::crash_point("asking");
        let exchanged = exchange(&intake, &mut untold, &mut known).await;
        // Where they cannot be asked, what can be claimed all the same must not wait for them.
        intake.asked.cancel();
        match exchanged {
            Ok(()) => {
                patience.reset();
                tokio::select! {
                    () = tokio::time::sleep(EXCHANGE) => {}
                    () = stop.cancelled() => break,
                }
            }
            Err(error) => {
                if !patience.after(&error, "exchanging what is known of endpoints", &*intake.observe, &stop).await {
                    break;
                }
            }
        }
    }
    // Whoever takes over need not find out again.
    untold.extend(intake.sending.lanes.news());
    if let Err(error) = tell(&intake, &mut untold).await {
        tracing::warn!(%error, "the other workers do not know what was found out about endpoints last: they will find out");
    }
}

async fn exchange(intake: &Intake, untold: &mut Vec<News>, known: &mut u64) -> Result<(), BackendError> {
    tell(intake, untold).await?;
    let (queue, sending) = (&intake.queue, &intake.sending);
    if let Some(pauses) = queue.pauses(*known).await? {
        sending.lanes.follow(&pauses.paused);
        *known = pauses.revision;
    }
    for (id, timeout) in sending.lanes.to_be_probed() {
        if queue.probe(id, timeout + PROBE).await? {
            sending.start(sending.lanes.probe(id));
        }
    }
    let broken = sending.lanes.broken().into_iter().filter_map(|id| intake.catalog.read(|index| index.get(id).cloned()));
    intake.observe.breakers(sending.lanes.breakers(), &broken.collect::<Vec<_>>());
    Ok(())
}

async fn tell(intake: &Intake, untold: &mut Vec<News>) -> Result<(), BackendError> {
    let (queue, sending) = (&intake.queue, &intake.sending);
    let (mut pauses, mut recovered) = (Vec::new(), Vec::new());
    for news in &*untold {
        match news {
            News::Pause(pause) => pauses.push(*pause),
            News::Recovered(id) => recovered.push(*id),
        }
    }
    // Nobody sends to one that is disabled or removed, so nobody would ever find it well.
    recovered.extend(sending.lanes.broken().into_iter().filter(|id| intake.catalog.active(*id).is_err()));
    // An endpoint that broke and recovered since the last time is well.
    if !pauses.is_empty() {
        queue.pause(&pauses).await?;
    }
    if !recovered.is_empty() {
        queue.recovered(&recovered).await?;
    }
    untold.clear();
    Ok(())
}
