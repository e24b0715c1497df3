//! `damper store backup`.

use serde_json::json;

use super::{BackupArgs, PROBLEMS, Place, USAGE, size};
use crate::cli::CommandError;
use crate::service::clock;
use crate::store::Store;

/// Backs up; gives the exit code.
pub(super) async fn run(args: &BackupArgs) -> Result<u8, CommandError> {
    let Place { address, options } = match args.place.place() {
        Ok(place) => place,
        Err(why) => return args.place.refuse(USAGE, &why),
    };
    let made = async {
        let store = Store::look(address.expose(), options).await?;
        let now = clock::now().to_datetime().unwrap_or_default();
        store.backup(&args.to, now).await
    };
    let path = match made.await {
        Ok(path) => path,
        Err(error) => return args.place.refuse(PROBLEMS, &error.to_string()),
    };
    let bytes = path.metadata().map_or(0, |file| file.len());
    let text = format!(
        "written and read again: {} ({})\nIt restores with `damper store restore {}`.\n",
        path.display(),
        size(bytes),
        path.display()
    );
    args.place.tell(&text, &json!({ "path": path, "bytes": bytes }))?;
    Ok(0)
}
