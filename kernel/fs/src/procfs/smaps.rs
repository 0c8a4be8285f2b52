//! /proc/PID/smaps and smaps_rollup: the mappings with what of them is in memory (proc_pid_smaps(5)).

use los_abi::errno::Errno;
use mm::{VmaInfo, VmaUsage};

use super::maps;
use super::task::Task;
use super::text::Text;

const KIB: u64 = 1024;
const PAGE_BYTES: u64 = 4096;

pub(super) fn show(task: &Task, text: &mut Text) -> Result<(), Errno> {
    if let Some(memory) = task.process().memory() {
        memory.for_each_vma_usage(&mut |vma, usage| write_one(text, vma, usage));
    }
    Ok(())
}

fn write_one(text: &mut Text, vma: &VmaInfo, usage: &VmaUsage) {
    maps::write_mapping(text, vma);
    write_size(text, "Size", vma.end - vma.start);
    write_size(text, "KernelPageSize", PAGE_BYTES);
    write_size(text, "MMUPageSize", PAGE_BYTES);
    write_totals(text, usage);
    write_sizes(text, usage);
    // There are no huge pages.
    text.bytes(b"THPeligible:           0\nVmFlags: ");
    vma.for_each_flag(&mut |letters| write!(text, "{letters} "));
    text.bytes(b"\n");
}

pub(super) fn show_sum(task: &Task, text: &mut Text) -> Result<(), Errno> {
    let Some(memory) = task.process().memory() else {
        return Ok(());
    };
    let mut sum = VmaUsage::default();
    let (mut anonymous, mut file, mut shared) = (0, 0, 0);
    let mut bounds: Option<(u64, u64)> = None;
    memory.for_each_vma_usage(&mut |vma, usage| {
        bounds = Some((bounds.map_or(vma.start, |(start, _)| start), vma.end));
        sum.add(usage);
        match usage {
            _ if vma.inode == 0 => anonymous += usage.proportional,
            _ if usage.is_shared_memory => shared += usage.proportional,
            _ => file += usage.proportional,
        }
    });
    let (start, end) = bounds.unwrap_or_default();
    let line = text.len();
    write!(text, "{start:08x}-{end:08x} ---p 00000000 00:00 0 ");
    text.pad(line, maps::NAME_COLUMN);
    text.bytes(b"[rollup]\n");
    write_totals(text, &sum);
    write_size(text, "Pss_Anon", anonymous);
    write_size(text, "Pss_File", file);
    write_size(text, "Pss_Shmem", shared);
    write_sizes(text, &sum);
    Ok(())
}

fn write_totals(text: &mut Text, usage: &VmaUsage) {
    write_size(text, "Rss", usage.resident);
    write_size(text, "Pss", usage.proportional);
    write_size(text, "Pss_Dirty", usage.proportional_dirty);
}

fn write_sizes(text: &mut Text, usage: &VmaUsage) {
    let sizes = [
        ("Shared_Clean", usage.shared_clean),
        ("Shared_Dirty", usage.shared_dirty),
        ("Private_Clean", usage.private_clean),
        ("Private_Dirty", usage.private_dirty),
        ("Referenced", usage.resident),
        ("Anonymous", usage.anonymous),
        // Neither merging of equal pages, lazy freeing, huge pages nor swap exist.
        ("KSM", 0),
        ("LazyFree", 0),
        ("AnonHugePages", 0),
        ("ShmemPmdMapped", 0),
        ("FilePmdMapped", 0),
        ("Shared_Hugetlb", 0),
        ("Private_Hugetlb", 0),
        ("Swap", 0),
        ("SwapPss", 0),
        ("Locked", usage.locked),
    ];
    for (name, bytes) in sizes {
        write_size(text, name, bytes);
    }
}

fn write_size(text: &mut Text, name: &str, bytes: u64) {
    let start = text.len();
    write!(text, "{name}:");
    text.pad(start, 16);
    writeln!(text, "{:>8} kB", bytes / KIB);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stand_in_columns() {
        let mut text = Text::new();
        write_size(&mut text, "Rss", 8192);
        write_size(&mut text, "Private_Hugetlb", 0);
        let bytes = text.finish().unwrap();
        assert_eq!(
            str::from_utf8(&bytes).unwrap(),
            "Rss:                   8 kB\nPrivate_Hugetlb:       0 kB\n"
        );
    }
}
