//! Whose name stands in a run's history.

use domain::access::ActorKind;

use crate::context::Context;

pub(super) struct ActorStamp {
    pub kind: ActorKind,
    pub id: String,
    pub name: String,
}

impl ActorStamp {
    pub(super) fn of(ctx: &Context) -> Self {
        Self {
            kind: ctx.actor.kind,
            id: ctx.actor.id.clone(),
            name: ctx.actor.name.clone(),
        }
    }
}
