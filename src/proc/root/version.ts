/** /proc/version, /proc/cmdline, /proc/cpuinfo. */
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";

export function showVersion(c: Context, out: Text): void {
  out.str(c.host.versionText).byte(10);
}

export function showCommandLine(c: Context, out: Text): void {
  out.str(c.host.commandLine).byte(10);
}

/** What a processor's paragraph says beyond its number. */
export interface CpuInfo {
  readonly vendor: string;
  readonly family: number;
  readonly model: number;
  readonly name: string;
  readonly stepping: number;
  readonly microcode: string;
  readonly mhz: number;
  readonly cacheKb: number;
  readonly siblings: number;
  readonly cpuidLevel: number;
  readonly flags: string;
  readonly bugs: string;
  readonly bogomips: number;
  readonly addressSizes: string;
}

const INTEL_FLAGS =
  "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss ht syscall " +
  "nx pdpe1gb rdtscp lm constant_tsc rep_good nopl xtopology nonstop_tsc cpuid tsc_known_freq pni pclmulqdq ssse3 fma " +
  "cx16 pcid sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave avx f16c rdrand hypervisor lahf_lm abm " +
  "3dnowprefetch cpuid_fault fsgsbase tsc_adjust bmi1 avx2 smep bmi2 erms invpcid avx512f avx512dq rdseed adx smap " +
  "clflushopt clwb avx512cd sha_ni avx512bw avx512vl xsaveopt xsavec xgetbv1 xsaves";
const AMD_FLAGS =
  "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht syscall nx " +
  "mmxext fxsr_opt pdpe1gb rdtscp lm constant_tsc rep_good nopl nonstop_tsc cpuid extd_apicid tsc_known_freq pni " +
  "pclmulqdq ssse3 fma cx16 pcid sse4_1 sse4_2 x2apic movbe popcnt aes xsave avx f16c rdrand hypervisor lahf_lm " +
  "cmp_legacy cr8_legacy abm sse4a misalignsse 3dnowprefetch topoext ssbd ibrs ibpb stibp vmmcall fsgsbase bmi1 avx2 " +
  "smep bmi2 invpcid rdseed adx smap clflushopt clwb sha_ni xsaveopt xsavec xgetbv1 xsaves clzero xsaveerptr";

/** A processor of the model that the host names. */
function cpuInfoOf(model: string, mhz: number, cpus: number): CpuInfo {
  const amd = /\bAMD\b/.test(model);
  return {
    vendor: amd ? "AuthenticAMD" : "GenuineIntel",
    family: amd ? 25 : 6,
    model: amd ? 1 : 106,
    name: model,
    stepping: amd ? 1 : 6,
    microcode: amd ? "0xa0011d5" : "0xd0003d1",
    mhz,
    cacheKb: amd ? 512 : 36864,
    siblings: cpus,
    cpuidLevel: amd ? 16 : 27,
    flags: amd ? AMD_FLAGS : INTEL_FLAGS,
    bugs: "spectre_v1 spectre_v2 spec_store_bypass swapgs",
    bogomips: mhz * 2,
    addressSizes: "46 bits physical, 48 bits virtual",
  };
}

/** One processor's paragraph, with its empty line (arch/x86/kernel/cpu/proc.c). */
export function formatCpu(info: CpuInfo, cpu: number, out: Text): void {
  const lines: readonly (readonly [string, string])[] = [
    ["processor\t", String(cpu)],
    ["vendor_id\t", info.vendor],
    ["cpu family\t", String(info.family)],
    ["model\t\t", String(info.model)],
    ["model name\t", info.name],
    ["stepping\t", String(info.stepping)],
    ["microcode\t", info.microcode],
    ["cpu MHz\t\t", info.mhz.toFixed(3)],
    ["cache size\t", `${info.cacheKb} KB`],
    ["physical id\t", "0"],
    ["siblings\t", String(info.siblings)],
    ["core id\t\t", String(cpu)],
    ["cpu cores\t", String(info.siblings)],
    ["apicid\t\t", String(cpu)],
    ["initial apicid\t", String(cpu)],
    ["fpu\t\t", "yes"],
    ["fpu_exception\t", "yes"],
    ["cpuid level\t", String(info.cpuidLevel)],
    ["wp\t\t", "yes"],
    ["flags\t\t", info.flags],
    ["bugs\t\t", info.bugs],
    ["bogomips\t", (Math.floor(info.bogomips * 100) / 100).toFixed(2)],
    ["clflush size\t", "64"],
    ["cache_alignment\t", "64"],
    ["address sizes\t", info.addressSizes],
  ];
  for (const [name, value] of lines) out.str(name).str(": ").str(value).byte(10);
  out.str("power management:\n\n");
}

/** One record a processor. */
export const cpuRecords = {
  count: (c: Context): number => c.k.config.cpus,
  show: (c: Context, index: number, out: Text): void => {
    formatCpu(cpuInfoOf(c.host.cpuModel, c.host.cpuMhz, c.k.config.cpus), index, out);
  },
};
