/** Libraries that processes with many mappings have beside those that the scenario names. */
import type { Group } from "../scenario-types.ts";

const NAMES = (
  "libcrypto.so.3 libssl.so.3 libsystemd.so.0 libpcre2-8.so.0.11.2 libz.so.1.2.13 libzstd.so.1.5.4 liblzma.so.5.4.1 " +
  "libgcrypt.so.20.4.1 libgpg-error.so.0.33.1 liblz4.so.1.9.4 libcap.so.2.66 libselinux.so.1 libmount.so.1.1.0 " +
  "libblkid.so.1.1.0 libuuid.so.1.3.0 libaudit.so.1.0.0 libcap-ng.so.0.0.0 libpam.so.0.85.1 libcrypt.so.1.1.0 " +
  "libdl.so.2 libm.so.6 libresolv.so.2 libnss_files.so.2 libnss_systemd.so.2 libstdc++.so.6.0.30 libgcc_s.so.1 " +
  "libxml2.so.2.9.14 libicuuc.so.72.1 libicudata.so.72.1 libicui18n.so.72.1 libsqlite3.so.0.8.6 libcurl.so.4.8.0 " +
  "libnghttp2.so.14.24.1 libidn2.so.0.3.8 librtmp.so.1 libssh2.so.1.0.1 libpsl.so.5.3.4 libgssapi_krb5.so.2.2 " +
  "libkrb5.so.3.3 libk5crypto.so.3.1 libcom_err.so.2.1 libkrb5support.so.0.1 libldap-2.5.so.0.1.8 liblber-2.5.so.0.1.8 " +
  "libsasl2.so.2.0.25 libgnutls.so.30.34.3 libhogweed.so.6.6 libnettle.so.8.6 libgmp.so.10.4.1 libp11-kit.so.0.3.0 " +
  "libtasn1.so.6.6.3 libunistring.so.2.2.0 libffi.so.8.1.2 libkeyutils.so.1.10 libbrotlidec.so.1.0.9 " +
  "libbrotlicommon.so.1.0.9 libargon2.so.1 libonig.so.5.3.0 libsodium.so.23.3.0 libexpat.so.1.8.10"
).split(" ");

const FOLDER = "/usr/lib/x86_64-linux-gnu/";
/** Mappings of a library, and of a process that has no library. */
const PER_LIBRARY = 5;
const PER_PROGRAM = 14;

/** Paths of further libraries of a group, so that it has about as many VMAs as it asks for. */
export function furtherLibraries(group: Group): string[] {
  if (group.kernel || group.exact !== null) return [];
  const { vmas, libs, files } = group.memory;
  const missing = vmas - PER_PROGRAM - PER_LIBRARY * libs.length - files.length - 2 * group.threads.length;
  const count = Math.max(0, Math.min(NAMES.length, Math.floor(missing / PER_LIBRARY)));
  return NAMES.slice(0, count)
    .map((name) => FOLDER + name)
    .filter((path) => !libs.includes(path));
}
