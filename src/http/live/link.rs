//! The operations of one websocket, once its connection is granted: begun, executed, ended.
//!
//! Each runs in a task of its own and says its last message itself. Which of them may run is decided here by
//! count and id alone; what they may read is decided behind the backend.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_graphql::parser::types::OperationType;
use futures_util::{FutureExt, StreamExt};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use super::{
    FULL, Note, full, open,
    protocol::{self, Close},
};
use crate::{
    auth::jwt::Claims,
    http::{
        App,
        accept::Language,
        answer::{self, Told},
        backend::{Backend, RequestMeta, Step},
        caller,
        client::Client,
        graphql::{admit, nothing, too_slow},
        observe::{Observed, RequestId},
        params::Params,
        refusal::Refusal,
    },
};

/// A connection that was granted, as its operations share it.
pub(super) struct Link<B> {
    pub(super) app: Arc<App<B>>,
    pub(super) request_id: RequestId,
    pub(super) language: Language,
    pub(super) purpose: Option<Arc<str>>,
    pub(super) client: Option<Client>,
    pub(super) claims: Arc<Claims>,
    pub(super) out: mpsc::Sender<String>,
    pub(super) operations: Mutex<Operations>,
}

/// The operations that run, by the client's names for them.
#[derive(Default)]
pub(super) struct Operations {
    running: HashMap<String, (u64, Option<AbortHandle>)>,
    begun: u64,
}

impl<B: Backend> Link<B> {
    fn operations(&self) -> MutexGuard<'_, Operations> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an operation, or says why not: with a message, or by closing the socket.
    pub(super) fn begin(
        self: &Arc<Self>,
        tasks: &mut JoinSet<()>,
        id: String,
        params: Params,
        most: usize,
    ) -> Result<Option<String>, Close> {
        let mut operations = self.operations();
        if operations.running.contains_key(&id) {
            return Err(Close::Exists(id));
        }
        operations.begun += 1;
        let number = operations.begun;
        if operations.running.len() >= most {
            let refusal = full(
                "streams",
                FULL,
                format!("{most} operations run on this connection; complete one first"),
                format!("此连接上已有 {most} 个操作，请先结束一个"),
            );
            let request_id = self.request_id.below(number).text();
            let told = answer::told_refusal(&refusal, self.language, &request_id);
            return Ok(Some(last(&id, told)));
        }
        operations.running.insert(id.clone(), (number, None));
        let link = Arc::clone(self);
        let task = tasks.spawn(link.operate(id.clone(), number, params));
        if let Some((_, handle)) = operations.running.get_mut(&id) {
            *handle = Some(task);
        }
        Ok(None)
    }

    /// Ends an operation that the client no longer wants; one that is unknown has ended by itself.
    pub(super) fn end(&self, id: &str) {
        let ended = self.operations().running.remove(id);
        if let Some((_, Some(task))) = ended {
            task.abort();
        }
    }

    async fn operate(self: Arc<Self>, id: String, number: u64, params: Params) {
        let request_id = self.request_id.below(number);
        let worked = AssertUnwindSafe(self.perform(&id, &request_id, params)).catch_unwind().await;
        let last = worked.unwrap_or_else(|_panic| {
            // The panic hook has logged where; what it said may hold a value.
            let text = request_id.text();
            last(&id, answer::told_refusal(&caller::internal(), self.language, &text))
        });
        // The client may use the id again as soon as it reads the last message.
        {
            let mut operations = self.operations();
            if operations.running.get(&id).is_some_and(|(running, _)| *running == number) {
                operations.running.remove(&id);
            }
        }
        let _client_may_be_gone = self.out.send(last).await;
    }

    /// Executes an operation; its last message.
    async fn perform(&self, id: &str, request_id: &RequestId, params: Params) -> String {
        let request_id = request_id.text();
        let refused =
            |refusal: &Refusal| last(id, answer::told_refusal(refusal, self.language, &request_id));
        let mut meta = RequestMeta {
            request_id: Arc::clone(&request_id),
            language: self.language,
            purpose: self.purpose.clone(),
            client: self.client,
            document: Arc::new(nothing()),
            operation_type: OperationType::Query,
            operation_name: None,
        };
        // Each operation counts like a request of its own.
        if let Err(refusal) = self.app.paces.address(self.client) {
            return refused(&refusal);
        }
        // The account may have changed since the connection was granted.
        let caller = match caller::again(&self.app, &self.claims, self.client).await {
            Ok(caller) => caller,
            Err(refusal) => return refused(&refusal),
        };
        let mut observed = Observed::default();
        let operation = match admit(&self.app, params, &mut meta, &mut observed) {
            Ok(operation) => operation,
            Err(refusal) => return refused(&refusal),
        };
        if meta.operation_type != OperationType::Subscription {
            let limit = self.app.options.limits.request_time;
            let account = self.app.backend.account(&caller);
            let mut note = Note::begin("websocket", &meta, account);
            let work = self.app.backend.execute(Some(caller), operation.request(), meta);
            return match timeout(limit, work).await {
                Ok(answer) => {
                    note.reason = "completed";
                    let told = answer::told(answer, true, self.language, &request_id);
                    self.tell(id, told).await.unwrap_or_else(|| protocol::complete(id))
                }
                Err(_elapsed) => {
                    note.reason = "too_slow";
                    refused(&too_slow(limit))
                }
            };
        }
        let mut stream = match open(&self.app, caller, operation, meta, "websocket").await {
            Ok(stream) => stream,
            Err(not) => return last(id, not.told(self.language, &request_id)),
        };
        while let Some(step) = stream.steps.next().await {
            match step {
                Step::Event { request_id, answer } => {
                    stream.note.events += 1;
                    let told = answer::told(answer, true, self.language, &request_id);
                    if let Some(last) = self.tell(id, told).await {
                        stream.note.reason = "failed";
                        return last;
                    }
                }
                Step::End { reason, answer } => {
                    stream.note.reason = reason;
                    return last(id, answer::told(answer, false, self.language, &request_id));
                }
            }
        }
        stream.note.reason = "completed";
        protocol::complete(id)
    }

    /// Sends a result; the last message of the operation when it was none.
    async fn tell(&self, id: &str, told: Told) -> Option<String> {
        match told {
            Told::Result(result) => {
                let _client_may_be_gone = self.out.send(protocol::next(id, &result)).await;
                None
            }
            Told::Errors(_) => Some(last(id, told)),
        }
    }
}

/// The message that ends an operation.
fn last(id: &str, told: Told) -> String {
    match told {
        Told::Errors(errors) => protocol::error(id, &errors),
        Told::Result(_) => protocol::complete(id),
    }
}
