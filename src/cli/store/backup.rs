//! `damper store backup`.

use serde_json::json;

use super::{BackupArgs, PROBLEMS, Place, USAGE, size};
use crate::cli::CommandError;
use crate::service::clock;
use crate::store::{Store, StoreError};

/// Backs up; gives the exit code.
pub(super) async fn run(args: &BackupArgs) -> Result<u8, CommandError> {
    let Place { address, options } = match args.place.place() {
        Ok(place) => place,
        Err(why) => return args.place.refuse(USAGE, &why),
    };
    let made = async {
        let store = Store::look(address.expose(), options).await?;
        let now = clock::now().to_datetime().unwrap_or_default();
        let path = store.backup(&args.to, now).await?;
        let restored_by = store.restored_by(&path).unwrap_or_default();
        Ok::<_, StoreError>((path, restored_by))
    };
    let (path, restored_by) = match made.await {
        Ok(made) => made,
        Err(error) => return args.place.refuse(PROBLEMS, &error.to_string()),
    };
    let bytes = path.metadata().map_or(0, |file| file.len());
    let text = format!(
        "written and read again: {} ({})\nIt restores with `{restored_by}`.\n",
        path.display(),
        size(bytes)
    );
    args.place.tell(&text, &json!({ "path": path, "bytes": bytes }))?;
    Ok(0)
}
