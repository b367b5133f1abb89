//! A space on loopback, and what stands in it.

use std::sync::mpsc;

use logcrier::sandbox::space::{Delivered, Quota};
use logcrier::sandbox::{Handle, Options, Sandbox};
use tokio::sync::oneshot;

use super::wait_for;

/// A space on a thread of its own; it stops when dropped.
pub(crate) struct Space {
    pub(crate) handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Space {
    /// A space without quota.
    pub(crate) fn new() -> Self {
        Self::with(Quota::None)
    }

    /// A space with a quota.
    pub(crate) fn with(quota: Quota) -> Self {
        let options = Options {
            quota,
            ..Options::default()
        };
        Self::serve(async { Sandbox::bind(options).await })
    }

    /// The same space on the same port, after it was gone.
    pub(crate) fn back(handle: Handle) -> Self {
        Self::serve(async move { Sandbox::bind_again(&handle).await })
    }

    fn serve(bind: impl Future<Output = std::io::Result<Sandbox>> + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, is_started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let sandbox = bind.await.unwrap();
                started.send(sandbox.handle()).unwrap();
                let stopped = async {
                    // A dropped sender stops it as well.
                    let _ = stopped.await;
                };
                sandbox.serve(stopped).await;
            });
        });
        Self {
            handle: is_started.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Ends the space; its memory stays in the handle.
    pub(crate) fn go_away(mut self) -> Handle {
        self.end();
        self.handle.clone()
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// From now on requests go wrong in this way: `KIND[:COUNT][@SPACE]`.
    pub(crate) fn fault(&self, written: &str) {
        assert!(self.handle.inject(written.parse().unwrap()));
    }

    /// What stands in the space.
    pub(crate) fn messages(&self) -> Vec<std::sync::Arc<Delivered>> {
        self.handle.delivered()
    }

    /// Waits until so many messages stand in the space.
    pub(crate) fn wait(&self, n_messages: usize) -> Vec<std::sync::Arc<Delivered>> {
        wait_for(&format!("{n_messages} messages"), || {
            let messages = self.messages();
            (messages.len() >= n_messages).then_some(messages)
        })
    }

    /// The events that all messages together speak for, told by `n=` in their titles.
    pub(crate) fn n_events(&self) -> u64 {
        self.messages()
            .iter()
            .map(|message| n_of(&message.text))
            .sum()
    }

    /// Waits until something was asked of the space, whatever came of it.
    pub(crate) fn wait_asked(&self) {
        wait_for("the request is in flight", || {
            (!self.handle.requests().is_empty()).then_some(())
        });
    }

    /// Waits until all messages together speak for so many events.
    pub(crate) fn wait_events(&self, n_events: u64) {
        wait_for(
            &format!("{n_events} events, have {}", self.n_events()),
            || (self.n_events() >= n_events).then_some(()),
        );
        assert_eq!(self.n_events(), n_events, "events were invented");
    }

    /// Nothing was sent that the contract forbids.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.handle.breaches(), []);
        for message in self.messages() {
            assert!(!message.bodies_differed, "{}", message.text);
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.end();
    }
}

/// The count that a message tells as `n=COUNT`.
pub(crate) fn n_of(text: &str) -> u64 {
    let digits = text.split("n=").nth(1).unwrap_or("0");
    let end = digits.find(|c: char| !c.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())].parse().unwrap_or(0)
}
