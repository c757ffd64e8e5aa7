//! The queues of events: SQS behind core's `Inbox`.
