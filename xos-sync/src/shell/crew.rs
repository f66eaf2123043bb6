//! The tasks that steps run in.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::runs::Home;
use super::worker::{self, Job};

/// How many jobs are handed out together. A thread that is woken for one step goes back to sleep before the next.
const TOGETHER: usize = 32;

/// Each run has a task to itself. When the run is over, the task is kept for another one: allocating a task on one
/// thread to free it on another made the threads wait for each other in the allocator, a third of the time that an
/// object took.
#[derive(Default)]
pub(super) struct Crew {
    members: Vec<Arc<Place>>,
    /// Those that have nothing to do; the last one was busy last.
    idle: Vec<Member>,
    /// Jobs that have not been handed out.
    jobs: Vec<Job>,
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
        self.jobs.push(job);
        if self.jobs.len() >= TOGETHER {
            self.hand_out(home);
        }
    }

    /// Starts the jobs that were added.
    pub(super) fn hand_out(&mut self, home: &Arc<Home>) {
        let mut jobs = mem::take(&mut self.jobs);
        for job in jobs.drain(..) {
            let member = self.idle.pop().unwrap_or_else(|| self.hire(home));
            if let Some(place) = self.members.get(member.0) {
                place.tell(Next::Job(job));
            }
        }
        // The next time needs no new one.
        self.jobs = jobs;
    }

    /// The job of this member is done.
    pub(super) fn is_idle(&mut self, member: Member) {
        self.idle.push(member);
    }

    fn hire(&mut self, home: &Arc<Home>) -> Member {
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
