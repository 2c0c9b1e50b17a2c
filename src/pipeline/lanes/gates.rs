//! Which endpoints are left alone for a while: broken ones, and those that asked for it. Workers share what they find out; what
//! this process found out itself holds at once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::health::Sign;
use crate::config::BreakerSettings;
use crate::ports::{Breakers, NewPause, Pause, Wait, Why};

/// What the others are to be told.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::pipeline) enum News {
    Pause(NewPause),
    Recovered(i64),
}

/// Whether flights of an endpoint may go into its lane.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Open,
    /// For so long, and why.
    Shut(Duration, Wait),
}

#[derive(Debug, Clone, Copy, Default)]
struct Gate {
    broken: Option<Broken>,
    /// It asked to be left alone until then.
    slowed: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Broken {
    until: Instant,
    /// Whether this process may make the one attempt that decides.
    probing: bool,
    /// Whether another process makes it.
    probed: bool,
}

impl Gate {
    fn shut_until(&self) -> Option<(Instant, Wait)> {
        let broken = self.broken.filter(|broken| !broken.probing).map(|broken| (broken.until, Wait::Broken));
        let slowed = self.slowed.map(|until| (until, Wait::Slowed));
        broken.into_iter().chain(slowed).max_by_key(|(until, _)| *until)
    }

    fn awaits_probe(&self, now: Instant) -> bool {
        self.broken.is_some_and(|broken| !broken.probing && broken.until <= now)
    }
}

/// Only endpoints that are left alone, or were until a moment ago, have a gate.
#[derive(Debug, Default)]
pub(super) struct Gates {
    gates: HashMap<i64, Gate>,
    news: Vec<News>,
}

impl Gates {
    pub(super) fn passage(&self, id: i64, now: Instant) -> Passage {
        let until = self.gates.get(&id).and_then(Gate::shut_until);
        match until.map(|(until, why)| (until.saturating_duration_since(now), why)) {
            Some((rest, why)) if !rest.is_zero() => Passage::Shut(rest, why),
            // One whose pause is over may have flights waiting, so that one of them can be the probe.
            _ => Passage::Open,
        }
    }

    pub(super) fn lets_start(&self, id: i64, in_flight: usize, now: Instant) -> bool {
        let Some(gate) = self.gates.get(&id) else { return true };
        let slowed = gate.slowed.is_some_and(|until| until > now);
        !slowed && gate.broken.is_none_or(|broken| broken.probing && in_flight == 0)
    }

    /// Takes note of how an attempt ended; `opens`: it opened the breaker. True when the endpoint begins anew, and slowly.
    pub(super) fn ended(&mut self, id: i64, sign: Sign, opens: bool, settings: BreakerSettings, now: Instant) -> bool {
        let broken = self.gates.get(&id).and_then(|gate| gate.broken);
        if sign == Sign::Well && broken.is_some() {
            // Whether it was the probe or a request from before: it takes deliveries again.
            self.change(id, |gate| gate.broken = None);
            self.news.push(News::Recovered(id));
            return true;
        }
        let failed_probe = broken.is_some_and(|broken| broken.probing) && sign.is_bad();
        if failed_probe || (opens && broken.is_none()) {
            // The others say how often it broke before; until they do, the first pause holds.
            self.change(id, |gate| gate.broken = Some(Broken { until: now + settings.pause, probing: false, probed: false }));
            self.news.push(News::Pause(NewPause::Broken { endpoint_id: id, first: settings.pause, max: settings.max_pause }));
        }
        if let Sign::Overloaded(Some(lasts)) = sign
            && !lasts.is_zero()
        {
            self.change(id, |gate| gate.slowed = gate.slowed.max(Some(now + lasts)));
            self.news.push(News::Pause(NewPause::Slowed { endpoint_id: id, lasts }));
            return true;
        }
        false
    }

    fn change(&mut self, id: i64, change: impl FnOnce(&mut Gate)) {
        let gate = self.gates.entry(id).or_default();
        change(gate);
        if gate.broken.is_none() && gate.slowed.is_none() {
            self.gates.remove(&id);
        }
    }

    pub(super) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    pub(super) fn to_be_probed(&self, now: Instant) -> impl Iterator<Item = i64> {
        self.gates.iter().filter(move |(_, gate)| gate.awaits_probe(now)).map(|(id, _)| *id)
    }

    /// Whether a flight that waits may become the probe, `in_flight` being under way already.
    pub(super) fn wants_a_probe(&self, id: i64, in_flight: usize, now: Instant) -> bool {
        self.gates.get(&id).is_some_and(|gate| gate.awaits_probe(now) || gate.broken.is_some_and(|broken| broken.probing && in_flight == 0))
    }

    pub(super) fn probe(&mut self, id: i64) {
        if let Some(broken) = self.gates.get_mut(&id).and_then(|gate| gate.broken.as_mut()) {
            broken.probing = true;
        }
    }

    pub(super) fn broken(&self) -> Vec<i64> {
        self.gates.iter().filter(|(_, gate)| gate.broken.is_some()).map(|(id, _)| *id).collect()
    }

    pub(super) fn states(&self, now: Instant) -> Breakers {
        let mut states = Breakers::default();
        for gate in self.gates.values() {
            match gate.broken {
                Some(broken) if broken.probing || broken.probed || broken.until <= now => states.half_open += 1,
                Some(_) => states.open += 1,
                None => {}
            }
            states.slowed += u64::from(gate.slowed.is_some_and(|until| until > now));
        }
        states
    }

    /// Takes over what all processes share, and answers which endpoints are no longer left alone. What was found out here and not
    /// told yet stays.
    pub(super) fn follow(&mut self, pauses: &[Pause], now: Instant) -> Vec<i64> {
        let mut shared: HashMap<i64, Gate> = HashMap::with_capacity(pauses.len());
        for pause in pauses {
            let gate = shared.entry(pause.endpoint_id).or_default();
            match pause.why {
                Why::Broken => gate.broken = Some(Broken { until: now + pause.lasts, probing: false, probed: pause.probing }),
                Why::Slowed => gate.slowed = Some(now + pause.lasts),
            }
        }
        for (id, own) in &self.gates {
            let untold = self.news.iter().any(|news| match news {
                News::Pause(NewPause::Broken { endpoint_id, .. } | NewPause::Slowed { endpoint_id, .. }) => endpoint_id == id,
                News::Recovered(_) => false,
            });
            let probing = own.broken.filter(|broken| broken.probing);
            if untold {
                shared.insert(*id, *own);
            } else if let (Some(probing), Some(gate)) = (probing, shared.get_mut(id)) {
                gate.broken = Some(probing);
            }
        }
        let before = std::mem::replace(&mut self.gates, shared);
        before.into_keys().filter(|id| !self.gates.contains_key(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        silent: 3,
        failures: 5,
        after: Duration::from_secs(10),
        pause: Duration::from_secs(1),
        max_pause: Duration::from_secs(60),
    };
    const BROKEN: News = News::Pause(NewPause::Broken { endpoint_id: 7, first: SETTINGS.pause, max: SETTINGS.max_pause });

    fn shared(lasts: Duration) -> Pause {
        Pause { endpoint_id: 7, why: Why::Broken, lasts, probing: false, times: 1 }
    }

    #[test]
    fn a_broken_endpoint_is_shut_until_its_pause_is_over_and_then_lets_one_probe_through() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        assert!(!gates.ended(7, Sign::Silent, true, SETTINGS, now));
        assert_eq!((gates.passage(7, now), gates.broken()), (Passage::Shut(SETTINGS.pause, Wait::Broken), vec![7]));
        assert_eq!(gates.states(now), Breakers { open: 1, ..Breakers::default() });
        assert_eq!(gates.take_news(), [BROKEN]);
        assert_eq!(gates.to_be_probed(now).count(), 0);
        let over = now + SETTINGS.pause;
        assert_eq!((gates.passage(7, over), gates.to_be_probed(over).collect::<Vec<_>>()), (Passage::Open, vec![7]));
        assert!(!gates.lets_start(7, 0, over), "only a probe");
        gates.probe(7);
        assert_eq!(gates.states(over), Breakers { half_open: 1, ..Breakers::default() });
        assert!(gates.lets_start(7, 0, over) && !gates.lets_start(7, 1, over));
        assert!(!gates.ended(7, Sign::Failing, false, SETTINGS, over));
        assert_eq!((gates.passage(7, over), gates.take_news()), (Passage::Shut(SETTINGS.pause, Wait::Broken), vec![BROKEN]));
        gates.probe(7);
        assert!(gates.ended(7, Sign::Well, false, SETTINGS, over), "it begins anew");
        assert_eq!((gates.lets_start(7, 5, over), gates.take_news()), (true, vec![News::Recovered(7)]));
    }

    #[test]
    fn what_others_say_replaces_what_was_known_but_for_what_was_not_told_yet() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        let minute = Duration::from_secs(60);
        assert_eq!(gates.follow(&[shared(minute)], now), [0_i64; 0]);
        assert_eq!(gates.passage(7, now), Passage::Shut(minute, Wait::Broken));
        gates.ended(8, Sign::Overloaded(Some(minute)), false, SETTINGS, now);
        assert_eq!(gates.follow(&[], now), [7], "it is well, somebody found");
        assert_eq!(gates.passage(8, now), Passage::Shut(minute, Wait::Slowed), "nobody else knows of it");
        assert_eq!(gates.states(now), Breakers { slowed: 1, ..Breakers::default() });
        gates.take_news();
        assert_eq!(gates.follow(&[], now), [8]);
        assert_eq!(gates.states(now), Breakers::default());
    }

    #[test]
    fn what_another_process_probes_is_half_open() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        gates.follow(&[Pause { probing: true, ..shared(Duration::from_secs(9)) }], now);
        assert_eq!(gates.states(now), Breakers { half_open: 1, ..Breakers::default() });
    }
}
