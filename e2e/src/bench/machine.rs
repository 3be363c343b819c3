//! The machine as far as it explains a number. Says nothing that tells one machine from another.

/// Processor, cores, memory, kernel and how busy it was.
#[must_use]
pub fn description() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| line.split_once(':'))
            .map_or_else(
                || "unknown".to_owned(),
                |(_, value)| value.trim().to_owned(),
            )
    };
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .split_whitespace()
        .next()
        .and_then(|kib| kib.parse::<f64>().ok())
        .map_or_else(
            || "unknown memory".to_owned(),
            |kib| format!("{:.0} GB of memory", kib * 1024.0 / 1e9),
        );
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim().split('-').next().unwrap_or("unknown");
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("unknown");
    // the value after the 18th of /proc/self/stat, counted from the end of the name, which may hold spaces
    let stat = read("/proc/self/stat");
    let nice = stat
        .rsplit_once(')')
        .and_then(|(_, fields)| fields.split_whitespace().nth(16))
        .unwrap_or("0");
    let priority = match nice {
        "0" => String::new(),
        nice => format!(" (of other work; everything measured ran at nice {nice})"),
    };
    format!(
        "Machine: {processor}, {cores} cores, {memory}, Linux {kernel}, virtual; load average before the run {load}{priority}. {}.",
        jiff::Timestamp::now().strftime("%Y-%m-%d")
    )
}
