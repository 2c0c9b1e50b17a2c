//! Tenants with ten endpoints each, and events that go to one endpoint each.

use crate::drain::{self, Drained};
use crate::receipts::{Receiver, Wanted};
use crate::sample::Sample;
use crate::stage::{Scene, Stage};

const OF_EACH: u32 = 10;
const ENDPOINTS: u32 = 10_000;

/// So many endpoints, a tenth as many tenants. Each of a tenant's subscribed to another type of event.
#[derive(Clone, Copy)]
pub(crate) struct Tenants {
    pub(crate) endpoints: u32,
}

/// 10,000 endpoints in 1,000 tenants.
pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, sample: &Sample) -> Drained {
    let (scene, tenants) = (stage.empty().await, Tenants { endpoints: ENDPOINTS });
    tenants.register(&scene, receiver, &sample.name).await;
    scene.begin().await;
    drain::push(&scene, (0..sample.count).map(|number| tenants.entry(sample, number))).await;
    drain::work_off(receiver, &scene, &tenants.wanted(sample)).await
}

impl Tenants {
    /// From 0 on; neighbours belong to different tenants.
    pub(crate) fn tenant(self, endpoint: u32) -> String {
        format!("tenant-{}", endpoint % (self.endpoints / OF_EACH))
    }

    fn event_type(self, endpoint: u32) -> String {
        format!("order.{}", endpoint / (self.endpoints / OF_EACH))
    }

    /// Their ids are one more than their numbers, where the scene had none.
    pub(crate) async fn register(self, scene: &Scene, receiver: &Receiver, name: &str) {
        let of_all = |pick: &dyn Fn(u32) -> String| (0..self.endpoints).map(pick).collect::<Vec<_>>();
        let (names, types) = (of_all(&|number| path(name, number)), of_all(&|number| self.event_type(number)));
        let (tenants, urls) =
            (of_all(&|number| self.tenant(number)), of_all(&|number| receiver.nth_url(number as usize, &path(name, number))));
        let statement = "INSERT INTO webhook_endpoints (name, url, tenant, event_types) SELECT name, url, tenant, ARRAY[event_type] \
                         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY \
                         AS e (name, url, tenant, event_type, number) ORDER BY number";
        scene.sql.execute(statement, &[&names, &urls, &tenants, &types]).await.expect("endpoints");
    }

    /// The sample's event of this number, which goes to one endpoint; the next one to the next.
    pub(crate) fn entry(self, sample: &Sample, number: u32) -> String {
        let endpoint = number % self.endpoints;
        sample.of_tenant(number, &self.event_type(endpoint), &self.tenant(endpoint))
    }

    pub(crate) fn wanted(self, sample: &Sample) -> Wanted {
        (0..sample.count).map(|number| (path(&sample.name, number % self.endpoints), sample.id(number))).collect()
    }
}

fn path(name: &str, endpoint: u32) -> String {
    format!("{name}/{endpoint}")
}
