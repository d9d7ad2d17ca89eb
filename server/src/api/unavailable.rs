//! What every endpoint may answer: that the database, or the time, is not there. Declared in one place, because it
//! holds for all.

use utoipa::{
    ToSchema,
    openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder, path::Operation},
};

use super::problem::{MEDIA_TYPE, Problem};

/// Of what only reads.
const READS: &str = "`database_unavailable` or `request_timeout`: ask again in a moment.";

/// Of what may change something.
const CHANGES: &str = "`database_unavailable`: nothing was changed, send it again. `outcome_unknown` and `request_timeout`: it \
                       may have been changed; read before you send it again.";

/// Adds the answer to every operation that does not say itself what its 503 means.
pub fn declare(document: &mut OpenApi) {
    for path in document.paths.paths.values_mut() {
        let reads = std::iter::once((&mut path.get, READS));
        let changes = [&mut path.post, &mut path.put, &mut path.patch, &mut path.delete];
        for (operation, description) in reads.chain(changes.into_iter().map(|operation| (operation, CHANGES))) {
            if let Some(operation) = operation {
                add(operation, description);
            }
        }
    }
}

fn add(operation: &mut Operation, description: &str) {
    let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name(Problem::name()))));
    let response = ResponseBuilder::new().description(description).content(MEDIA_TYPE, problem).build();
    operation.responses.responses.entry("503".to_owned()).or_insert_with(|| response.into());
}
