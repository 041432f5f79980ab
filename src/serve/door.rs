//! The door of a server: how a response makes it stop listening for a while.
//!
//! The accept loop owns the listener; the task of a connection asks here, and goes on once the listener is
//! gone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::clock;

/// Where connections ask the accept loop to stop listening.
#[derive(Debug, Default)]
pub(crate) struct Door {
    /// What is asked; `None` where nobody listens.
    asked: Mutex<Option<Vec<Order>>>,
    changed: Notify,
}

/// That new connections are refused until a moment.
#[derive(Debug)]
pub(crate) struct Order {
    until: Instant,
    done: oneshot::Sender<()>,
}

/// The accept loop's side; dropping it says that nobody listens.
#[derive(Debug)]
pub(crate) struct Porter<'a>(&'a Door);

impl Door {
    /// Whoever accepts connections says so.
    pub(crate) fn attend(&self) -> Porter<'_> {
        *self.asked() = Some(Vec::new());
        Porter(self)
    }

    /// Refuses new connections from now on, for so long. Returns once they are.
    pub(crate) async fn close_for(&self, refuse: Duration) {
        let (done, closed) = oneshot::channel();
        match &mut *self.asked() {
            Some(orders) => orders.push(Order { until: clock::now() + refuse, done }),
            None => return,
        }
        self.changed.notify_one();
        // A porter that goes drops its orders, which ends the wait, too.
        let _ = clock::before(clock::now() + PATIENCE, closed).await;
    }

    fn asked(&self) -> MutexGuard<'_, Option<Vec<Order>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Porter<'_> {
    /// Waits until it is asked to close.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no order.
    pub(crate) async fn asked(&self) -> Vec<Order> {
        loop {
            let orders = self.0.asked().as_mut().map(std::mem::take).unwrap_or_default();
            if !orders.is_empty() {
                return orders;
            }
            self.0.changed.notified().await;
        }
    }

    /// Says that the listener is gone, and waits until new connections are to be accepted again.
    pub(crate) async fn stay_closed(&self, mut orders: Vec<Order>) {
        let mut until = clock::now();
        loop {
            for order in orders {
                until = until.max(order.until);
                // Who asked may be gone.
                let _ = order.done.send(());
            }
            match clock::before(until, self.asked()).await {
                Some(more) => orders = more,
                None => return,
            }
        }
    }
}

impl Drop for Porter<'_> {
    fn drop(&mut self) {
        *self.0.asked() = None;
    }
}

/// How long a connection waits for the accept loop, which may be out of file descriptors.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn later_orders_keep_the_door_closed_for_longer() {
        let door = Door::default();
        let porter = door.attend();
        let start = clock::now();
        let porting = async {
            let orders = porter.asked().await;
            porter.stay_closed(orders).await;
            clock::now() - start
        };
        let asking = async {
            door.close_for(Duration::from_secs(2)).await;
            clock::until(start + Duration::from_secs(1)).await;
            door.close_for(Duration::from_secs(5)).await;
            door.close_for(Duration::from_secs(1)).await;
        };
        let (closed, ()) = tokio::join!(porting, asking);
        assert_eq!(closed, Duration::from_secs(6));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_porter_that_is_not_there() {
        let door = Door::default();
        let start = clock::now();
        door.close_for(Duration::from_secs(2)).await;
        let porter = door.attend();
        let leaving = async {
            tokio::task::yield_now().await;
            drop(porter);
        };
        tokio::join!(door.close_for(Duration::from_secs(2)), leaving);
        assert_eq!(clock::now(), start);
    }
}
