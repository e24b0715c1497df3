//! File systems that SQLite cannot be trusted on: what another machine serves may lock a file twice
//! and lose what was synced.

use std::path::{Path, PathBuf};

/// Served by another machine, or by a program that stands for one. Block devices that come over a
/// network (iSCSI, RBD, EBS) are no file systems and are as good as a disk.
const NETWORK: [&str; 36] = [
    "9p",
    "acfs",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "fuse.blobfuse",
    "fuse.blobfuse2",
    "fuse.ceph",
    "fuse.ceph-fuse",
    "fuse.curlftpfs",
    "fuse.davfs",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.goofys",
    "fuse.juicefs",
    "fuse.mount-s3",
    "fuse.mountpoint-s3",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.seaweedfs",
    "fuse.smbnetfs",
    "fuse.sshfs",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "orangefs",
    "smb2",
    "smb3",
    "smbfs",
    "vboxsf",
];

/// Why a store may not be at `path`, if its file system is one of those. Where that cannot be told
/// (no `/proc`), it may.
pub(super) fn refusal(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let (point, kind) = mount_of(&mounts, path)?;
    NETWORK.contains(&kind).then(|| {
        format!(
            "it is on a network file system ({kind}, mounted at {}), where SQLite's locks and syncs cannot be \
             trusted: two Dampers could page at once, and what was committed could be lost. Put it on a local \
             disk (a block volume counts as one), or use PostgreSQL: `store: postgres://USER@HOST/DATABASE`",
            point.display()
        )
    })
}

/// The mount point that holds a path and its file system, from the text of `/proc/self/mountinfo`
/// (proc_pid_mountinfo(5)). Of mounts at one point the last one counts: it lies above the others.
fn mount_of<'m>(mounts: &'m str, path: &Path) -> Option<(PathBuf, &'m str)> {
    let holds = |line: &'m str| {
        let (mount, source) = line.split_once(" - ")?;
        let point = PathBuf::from(unescaped(mount.split(' ').nth(4)?));
        path.starts_with(&point).then(|| Some((point, source.split(' ').next()?)))?
    };
    mounts.lines().filter_map(holds).max_by_key(|(point, _)| point.components().count())
}

/// Spaces, tabs, newlines and backslashes are written as three octal digits.
fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    for (written, meant) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        plain = plain.replace(written, meant);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 253:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:30 / /srv rw - nfs4 server:/export rw,vers=4.2
31 30 253:1 / /srv/disk rw - xfs /dev/vdb rw
32 22 0:33 / /mnt/my\\040share rw shared:7 - cifs //server/share rw
33 22 0:34 / /home/ann/far rw - fuse.sshfs ann@far: rw
34 22 253:2 / /data rw - ext4 /dev/vdc rw
35 22 0:35 / /data rw - nfs server:/other rw
36 22 0:36 / /wsl rw - 9p C:\\134 rw
garbage
";

    fn kind(path: &str) -> &str {
        mount_of(MOUNTS, Path::new(path)).map_or("", |(_, kind)| kind)
    }

    #[test]
    fn the_innermost_and_uppermost_mount_counts() {
        for (path, expected) in [
            ("/var/lib/damper/damper.db", "ext4"),
            ("/srv/damper.db", "nfs4"),
            ("/srv/disk/damper.db", "xfs"),
            ("/srvice/damper.db", "ext4"),
            ("/mnt/my share/damper.db", "cifs"),
            ("/home/ann/far/damper.db", "fuse.sshfs"),
            ("/data/damper.db", "nfs"),
            ("/wsl/damper.db", "9p"),
        ] {
            assert_eq!(kind(path), expected, "{path}");
        }
        assert_eq!(mount_of("", Path::new("/")), None);
    }

    #[test]
    fn network_file_systems_are_known_and_disks_are_not() {
        let is_refused = |path: &str| NETWORK.contains(&kind(path));
        for path in ["/srv/x", "/mnt/my share/x", "/home/ann/far/x", "/data/x", "/wsl/x"] {
            assert!(is_refused(path), "{path}");
        }
        assert!(!is_refused("/var/x") && !is_refused("/srv/disk/x"));
        for local in ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "fuseblk", "virtiofs"] {
            assert!(!NETWORK.contains(&local), "{local}");
        }
        assert!(NETWORK.is_sorted());
    }

    #[test]
    fn this_machine_has_a_root() {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(mount_of(&mounts, Path::new("/")).is_some());
        assert_eq!(refusal(Path::new("/proc/damper.db")), None);
    }
}
