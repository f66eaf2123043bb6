//! The tasks that steps run in.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::runs::Home;
use super::worker::{self, Job};

/// How many jobs are handed out together. A thread that is woken for one step goes back to sleep before the next.
const TOGETHER: usize = 32;

/// How many tasks are made before those that are there may run: most jobs end before the next one is handed out, and
/// leave a task for it.
const HIRED_AT_ONCE: usize = 64;

/// Each run has a task to itself. When the run is over, the task is kept for another one: allocating a task on one
/// thread to free it on another made the threads wait for each other in the allocator, a third of the time that an
/// object took.
#[derive(Default)]
pub(super) struct Crew {
    members: Vec<Arc<Place>>,
    /// Those that have nothing to do; the last one was busy last.
    idle: Vec<Member>,
    /// Jobs that have not been handed out, first come, first served.
    jobs: VecDeque<Job>,
    /// How many tasks were made since the last rest.
    hired: usize,
}

/// One of the crew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member(usize);

/// Where a member finds its next job.
#[derive(Default)]
struct Place {
    next: Mutex<Next>,
    told: Notify,
}

#[derive(Default)]
enum Next {
    #[default]
    Nothing,
    Job(Job),
    /// Nothing more will come.
    End,
}

impl Place {
    fn tell(&self, next: Next) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
        self.told.notify_one();
    }
}

impl Crew {
    /// A job for whoever has nothing to do.
    pub(super) fn add(&mut self, home: &Arc<Home>, job: Job) {
        self.jobs.push_back(job);
        if self.jobs.len() >= TOGETHER {
            self.hand_out(home);
        }
    }

    /// Starts the jobs that were added; those that have to wait for a task after the next [rest](Crew::rest).
    pub(super) fn hand_out(&mut self, home: &Arc<Home>) {
        while let Some(job) = self.jobs.pop_front() {
            let member = match self.idle.pop() {
                Some(member) => member,
                None if self.hired < HIRED_AT_ONCE => self.hire(home),
                None => return self.jobs.push_front(job),
            };
            if let Some(place) = self.members.get(member.0) {
                place.tell(Next::Job(job));
            }
        }
    }

    /// Lets the tasks run when jobs wait for one. Whether there are any.
    pub(super) async fn rest(&mut self) -> bool {
        self.hired = 0;
        if self.jobs.is_empty() {
            return false;
        }
        tokio::task::yield_now().await;
        true
    }

    /// The job of this member is done.
    pub(super) fn is_idle(&mut self, member: Member) {
        self.idle.push(member);
    }

    fn hire(&mut self, home: &Arc<Home>) -> Member {
        self.hired += 1;
        let member = Member(self.members.len());
        let place = Arc::new(Place::default());
        self.members.push(place.clone());
        let home = home.clone();
        tokio::spawn(async move {
            loop {
                place.told.notified().await;
                let next = mem::take(&mut *place.next.lock().unwrap_or_else(PoisonError::into_inner));
                match next {
                    Next::Job(job) => worker::work(&home, member, job).await,
                    Next::Nothing => {}
                    Next::End => break,
                }
            }
        });
        member
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for place in &self.members {
            place.tell(Next::End);
        }
    }
}
