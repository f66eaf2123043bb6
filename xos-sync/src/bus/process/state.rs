//! Topics, groups and how far each group is.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::log::{Log, size};
use super::{PARTITIONS, Room};
use crate::bus::{BusError, Event, Place, Position, Publisher, Topics};

/// An index into [`State::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupId(usize);

/// An index into [`State::topics`], and a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Part {
    topic: usize,
    partition: i32,
}

pub(super) struct State {
    room: Room,
    topics: Vec<Topic>,
    by_name: HashMap<String, usize>,
    groups: Vec<Group>,
    /// Whether a publisher may be waiting for room.
    someone_waits: bool,
}

/// A topic that some group is subscribed to.
struct Topic {
    logs: Vec<Log>,
    groups: Vec<GroupId>,
}

struct Group {
    name: String,
    topics: Topics,
    /// Whether somebody reads for it now.
    is_read: bool,
    parts: HashMap<Part, Progress>,
    /// Partitions with events that were not read, in the order in which they are served.
    ready: VecDeque<Part>,
    /// How many events it has not committed, and their bytes.
    events: u64,
    bytes: u64,
    told: Arc<Notify>,
}

/// How far a group is in a partition.
#[derive(Clone, Copy)]
struct Progress {
    committed: i64,
    read: i64,
    is_ready: bool,
    is_held: bool,
}

/// A group for which a publisher has to wait.
#[derive(Debug)]
pub(super) struct Behind {
    pub(super) group: String,
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) wait: Duration,
}

impl State {
    pub(super) fn new(room: Room) -> Self {
        State { room, topics: Vec::new(), by_name: HashMap::new(), groups: Vec::new(), someone_waits: false }
    }

    /// Appends the event, unless a group has to catch up first. What nobody is subscribed to is not kept.
    pub(super) fn publish(&mut self, event: Event, from: Publisher) -> Result<(), Box<(Event, Behind)>> {
        let Some(topic) = self.topic(&event.topic) else { return Ok(()) };
        let Some(entry) = self.topics.get_mut(topic) else { return Ok(()) };
        let mut readers = entry.groups.iter().filter_map(|group| self.groups.get(group.0));
        if let Some(behind) = readers.find(|group| !has_room(self.room, group, from)) {
            self.someone_waits = true;
            let (group, wait) = (behind.name.clone(), self.room.wait);
            let behind = Behind { group, events: behind.events, bytes: behind.bytes, wait };
            return Err(Box::new((event, behind)));
        }
        let part = Part { topic, partition: event.partition };
        let bytes = size(&event);
        let Some(log) = entry.logs.get_mut(part.partition as usize) else { return Ok(()) };
        log.push(event);
        for group in &entry.groups {
            if let Some(group) = self.groups.get_mut(group.0) {
                group.events += 1;
                group.bytes += bytes;
                group.make_ready(part, log.end());
            }
        }
        Ok(())
    }

    /// The topic of this name. It begins to exist when it is published on and a group wants it.
    fn topic(&mut self, name: &str) -> Option<usize> {
        if let Some(topic) = self.by_name.get(name) {
            return Some(*topic);
        }
        let wants = |(at, group): (usize, &Group)| group.topics.matches(name).then_some(GroupId(at));
        let groups: Vec<GroupId> = self.groups.iter().enumerate().filter_map(wants).collect();
        if groups.is_empty() {
            return None;
        }
        let topic = self.topics.len();
        for id in &groups {
            if let Some(group) = self.groups.get_mut(id.0) {
                group.begin(topic, &[]);
            }
        }
        let logs = (0..PARTITIONS).map(|_| Log::default()).collect();
        self.topics.push(Topic { logs, groups });
        self.by_name.insert(name.to_owned(), topic);
        Some(topic)
    }

    /// Somebody reads for the group: from where it is, or, when it is new, from now on.
    pub(super) fn join(&mut self, name: &str, topics: &Topics) -> Result<(GroupId, Arc<Notify>), BusError> {
        let known = self.groups.iter().position(|group| group.name == name);
        let id = GroupId(known.unwrap_or(self.groups.len()));
        if known.is_none() {
            self.groups.push(Group::new(name, topics));
        }
        let Some(group) = self.groups.get_mut(id.0).filter(|group| !group.is_read) else {
            let reason = "somebody in this process reads for it already; give the step another name";
            return Err(BusError::refused(format!("the group {name}"), reason));
        };
        group.topics = topics.clone();
        group.is_read = true;
        let told = group.told.clone();
        self.begin_topics(id);
        self.read_again(id);
        Ok((id, told))
    }

    /// Topics that exist already, for a group that has just come to want them.
    fn begin_topics(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(id.0) else { return };
        for (name, at) in &self.by_name {
            let Some(topic) = self.topics.get_mut(*at) else { continue };
            if !topic.groups.contains(&id) && group.topics.matches(name) {
                topic.groups.push(id);
                let ends: Vec<i64> = topic.logs.iter().map(Log::end).collect();
                group.begin(*at, &ends);
            }
        }
    }

    /// What was read and not committed is read again.
    fn read_again(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(id.0) else { return };
        group.ready.clear();
        let mut parts: Vec<Part> = group.parts.keys().copied().collect();
        parts.sort_unstable();
        for part in parts {
            if let Some(progress) = group.parts.get_mut(&part) {
                let read = progress.committed;
                *progress = Progress { read, is_ready: false, is_held: false, ..*progress };
            }
            group.make_ready(part, log_of(&self.topics, part).map_or(0, Log::end));
        }
    }

    /// Nobody reads for the group any more; it keeps its position, and what comes is kept for it.
    pub(super) fn leave(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(id.0) {
            group.is_read = false;
        }
    }

    /// The next events of a group, of one partition.
    pub(super) fn read(&mut self, id: GroupId, most: usize) -> Vec<Arc<Event>> {
        let Some(group) = self.groups.get_mut(id.0) else { return Vec::new() };
        while let Some(part) = group.ready.pop_front() {
            let Some(progress) = group.parts.get_mut(&part) else { continue };
            progress.is_ready = false;
            let Some(log) = log_of(&self.topics, part).filter(|_| !progress.is_held) else { continue };
            let to = log.end().min(progress.read + most as i64);
            let events: Vec<Arc<Event>> = log.range(progress.read, to).cloned().collect();
            progress.read = to;
            group.make_ready(part, log.end());
            if !events.is_empty() {
                return events;
            }
        }
        Vec::new()
    }

    pub(super) fn hold(&mut self, id: GroupId, place: &Place, hold: bool) {
        let Some(part) = self.part(place) else { return };
        let Some(group) = self.groups.get_mut(id.0) else { return };
        let Some(progress) = group.parts.get_mut(&part) else { return };
        progress.is_held = hold;
        group.make_ready(part, log_of(&self.topics, part).map_or(0, Log::end));
    }

    /// Everything before these positions is processed. Whether publishers may be waiting for that.
    pub(super) fn commit(&mut self, id: GroupId, positions: &[Position]) -> bool {
        for Position { place, next } in positions {
            let Some(part) = self.part(place) else { continue };
            let Some(log) = log_of(&self.topics, part) else { continue };
            let Some(group) = self.groups.get_mut(id.0) else { continue };
            let Some(progress) = group.parts.get_mut(&part) else { continue };
            let to = (*next).min(log.end());
            if to <= progress.committed {
                continue;
            }
            let bytes: u64 = log.range(progress.committed, to).map(|event| size(event)).sum();
            group.events = group.events.saturating_sub((to - progress.committed) as u64);
            group.bytes = group.bytes.saturating_sub(bytes);
            progress.committed = to;
            progress.read = progress.read.max(to);
            self.trim(part);
        }
        std::mem::take(&mut self.someone_waits)
    }

    /// Forgets what every group has committed.
    fn trim(&mut self, part: Part) {
        let Some(topic) = self.topics.get_mut(part.topic) else { return };
        let groups = topic.groups.iter().filter_map(|group| self.groups.get(group.0));
        let slowest =
            groups.filter_map(|group| group.parts.get(&part)).map(|progress| progress.committed).min();
        if let (Some(slowest), Some(log)) = (slowest, topic.logs.get_mut(part.partition as usize)) {
            log.forget_before(slowest);
        }
    }

    pub(super) fn backlog(&self, id: GroupId) -> u64 {
        self.groups.get(id.0).map_or(0, |group| group.events)
    }

    fn part(&self, place: &Place) -> Option<Part> {
        Some(Part { topic: *self.by_name.get(&*place.topic)?, partition: place.partition })
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.topics.iter().flat_map(|topic| &topic.logs).map(|log| log.range(0, log.end()).count()).sum()
    }
}

fn log_of(topics: &[Topic], part: Part) -> Option<&Log> {
    topics.get(part.topic)?.logs.get(usize::try_from(part.partition).ok()?)
}

impl Group {
    fn new(name: &str, topics: &Topics) -> Self {
        Group {
            name: name.to_owned(),
            topics: topics.clone(),
            is_read: false,
            parts: HashMap::new(),
            ready: VecDeque::new(),
            events: 0,
            bytes: 0,
            told: Arc::default(),
        }
    }

    /// Starts a topic at these offsets.
    fn begin(&mut self, topic: usize, ends: &[i64]) {
        for partition in 0..PARTITIONS {
            let from = ends.get(partition as usize).copied().unwrap_or(0);
            let progress = Progress { committed: from, read: from, is_ready: false, is_held: false };
            self.parts.insert(Part { topic, partition }, progress);
        }
    }

    /// Puts a partition in line when it has something to read.
    fn make_ready(&mut self, part: Part, end: i64) {
        let Some(progress) = self.parts.get_mut(&part) else { return };
        if progress.is_ready || progress.is_held || progress.read >= end {
            return;
        }
        progress.is_ready = true;
        self.ready.push_back(part);
        self.told.notify_one();
    }
}

/// An event step may be the reader that has to make room: it has as much again in reserve.
fn has_room(room: Room, group: &Group, from: Publisher) -> bool {
    let factor = if from == Publisher::EventStep { 2 } else { 1 };
    group.events == 0 || (group.events < room.events * factor && group.bytes < room.bytes * factor)
}
