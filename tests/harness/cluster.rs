//! Private Redis Clusters: three masters, each with a third of the slots.

use redis::aio::MultiplexedConnection;
use tokio::sync::OnceCell;

use super::eventually::{LONG, eventually};
use super::redis::Redis;

/// The slots of each master, as `redis-cli --cluster create` gives them out.
const SLOTS: [[u16; 2]; 3] = [[0, 5460], [5461, 10_922], [10_923, 16_383]];

pub(crate) struct Cluster {
    pub(crate) masters: Vec<Redis>,
}

impl Cluster {
    /// The one that tests share which do nothing to its nodes, each with its own prefix.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(Self::private).await
    }

    /// For a test that stops or flushes nodes. A master that is away takes its own slots along, and no others.
    pub(crate) async fn private() -> Self {
        let masters = vec![Redis::clustered().await, Redis::clustered().await, Redis::clustered().await];
        for ((master, slots), epoch) in masters.iter().zip(SLOTS).zip(1_u8..) {
            let mut connection = master.connect().await;
            cluster(&mut connection, &["SET-CONFIG-EPOCH", &epoch.to_string()]).await;
            cluster(&mut connection, &["ADDSLOTSRANGE", &slots[0].to_string(), &slots[1].to_string()]).await;
        }
        let made = Self { masters };
        for master in &made.masters[1..] {
            made.meet(master).await;
        }
        made.knows(3).await;
        made
    }

    async fn meet(&self, node: &Redis) {
        let mut connection = self.masters[0].connect().await;
        let [port, bus] = [node.port(), node.bus_port().expect("a node of a cluster")].map(|port| port.to_string());
        cluster(&mut connection, &["MEET", "127.0.0.1", &port, &bus]).await;
    }

    /// Waits until every master knows of so many nodes, and that all slots are served.
    async fn knows(&self, nodes: usize) {
        for master in &self.masters {
            let mut connection = master.connect().await;
            eventually(LONG, async || {
                let info = cluster(&mut connection, &["INFO"]).await;
                let all = format!("cluster_known_nodes:{nodes}\r");
                (info.contains("cluster_state:ok") && info.contains(&all) && info.contains("cluster_slots_ok:16384")).then_some(())
            })
            .await;
        }
    }

    /// One more node, that copies this master and takes its place when that is gone. Returns when it has a copy.
    pub(crate) async fn replica_of(&self, master: &Redis) -> Redis {
        let replica = Redis::clustered().await;
        self.meet(&replica).await;
        self.knows(4).await;
        let id = cluster(&mut master.connect().await, &["MYID"]).await;
        let mut connection = replica.connect().await;
        eventually(LONG, async || {
            let answer: redis::RedisResult<String> =
                redis::cmd("CLUSTER").arg("REPLICATE").arg(id.trim()).query_async(&mut connection).await;
            answer.is_ok().then_some(())
        })
        .await;
        eventually(LONG, async || {
            let info: String = redis::cmd("INFO").arg("replication").query_async(&mut connection).await.expect("the node runs");
            info.contains("master_link_status:up").then_some(())
        })
        .await;
        replica
    }

    /// Any node's URL: the program finds the others.
    pub(crate) fn url(&self) -> String {
        self.masters[0].url()
    }

    /// The master that has this key.
    pub(crate) fn master_of(&self, key: &str) -> &Redis {
        let slot = slot(key);
        let number = SLOTS.iter().position(|[first, last]| (*first..=*last).contains(&slot)).expect("all slots are served");
        &self.masters[number]
    }

    /// A connection to the master that has this key.
    pub(crate) async fn at(&self, key: &str) -> MultiplexedConnection {
        self.master_of(key).connect().await
    }

    pub(crate) async fn push(&self, list: &str, entries: &[String]) {
        redis::cmd("LPUSH").arg(list).arg(entries).query_async::<()>(&mut self.at(list).await).await.expect("the node runs");
    }

    /// `FLUSHALL` on every master.
    pub(crate) async fn flush(&self) {
        for master in &self.masters {
            master.flush().await;
        }
    }

    /// All keys of all masters.
    pub(crate) async fn keys(&self, pattern: &str) -> Vec<String> {
        let mut all = Vec::new();
        for master in &self.masters {
            let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut master.connect().await).await.expect("the node runs");
            all.extend(keys);
        }
        all.sort();
        all
    }
}

/// CRC-16/XMODEM of the key or of its hash tag: a node that is away cannot be asked.
fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag).filter(|tag| !tag.is_empty());
    let crc = tag.unwrap_or(key).bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    });
    crc % 16_384
}

async fn cluster(connection: &mut MultiplexedConnection, args: &[&str]) -> String {
    redis::cmd("CLUSTER").arg(args).query_async(connection).await.unwrap_or_else(|error| panic!("CLUSTER {args:?}: {error}"))
}
