/*
 * The yardstick: what a C server on libfuse3 makes of the same work. Directories 1..4194304, each with a file "io" that
 * is as long as a real one, names kept for an hour, attributes not at all, FLUSH answered once with ENOSYS,
 * direct I/O: as mount/ does it. Build: cc -O2 $(pkg-config --cflags fuse3) ... $(pkg-config --libs fuse3)
 * Usage: libfuse3-baseline DIR THREADS. Prints READY once mounted; ends when unmounted.
 */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every pid that Linux can have. */
#define PIDS 4194304
#define KEEP_NAMES 3600.0
/* Inode numbers: 1 is the root, 16 + 2 * pid a directory, one more its file. */
#define DIRECTORY(pid) (16 + 2 * (fuse_ino_t)(pid))

static const char text[] =
    "rchar: 1284711\nwchar: 323552\nsyscr: 1823\nsyscw: 741\nread_bytes: 4096\nwrite_bytes: 12288\n"
    "cancelled_write_bytes: 0\n";

static void attributes(struct stat *st, fuse_ino_t ino) {
  memset(st, 0, sizeof *st);
  st->st_ino = ino;
  st->st_mode = ino == 1 || ino % 2 == 0 ? S_IFDIR | 0555 : S_IFREG | 0444;
  st->st_nlink = 1;
  st->st_blksize = 1024;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name) {
  struct fuse_entry_param entry = {.entry_timeout = KEEP_NAMES};
  if (parent == 1) {
    int pid = atoi(name);
    if (pid > 0 && pid <= PIDS) entry.ino = DIRECTORY(pid);
  } else if (parent % 2 == 0 && strcmp(name, "io") == 0) {
    entry.ino = parent + 1;
  }
  if (entry.ino == 0) {
    fuse_reply_err(req, ENOENT);
    return;
  }
  attributes(&entry.attr, entry.ino);
  fuse_reply_entry(req, &entry);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file) {
  (void)file;
  struct stat st;
  attributes(&st, ino);
  fuse_reply_attr(req, &st, 0);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file) {
  (void)ino;
  file->direct_io = 1;
  fuse_reply_open(req, file);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *file) {
  (void)ino;
  (void)file;
  size_t length = sizeof text - 1;
  size_t left = (size_t)offset < length ? length - (size_t)offset : 0;
  fuse_reply_buf(req, text + (length - left), left < size ? left : size);
}

static void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file) {
  (void)ino;
  (void)file;
  fuse_reply_err(req, 0);
}

static void on_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file) {
  (void)ino;
  (void)file;
  fuse_reply_err(req, ENOSYS);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s DIR THREADS\n", argv[0]);
    return 2;
  }
  struct fuse_lowlevel_ops ops = {
      .lookup = on_lookup, .getattr = on_getattr, .open = on_open,
      .read = on_read, .release = on_release, .flush = on_flush,
  };
  char *options[] = {argv[0], "-o", "allow_other,fsname=libfuse3-baseline"};
  struct fuse_args args = FUSE_ARGS_INIT(3, options);
  struct fuse_session *session = fuse_session_new(&args, &ops, sizeof ops, NULL);
  if (session == NULL || fuse_set_signal_handlers(session) != 0) return 1;
  if (fuse_session_mount(session, argv[1]) != 0) return 1;
  puts("READY");
  fflush(stdout);
  int threads = atoi(argv[2]);
  if (threads == 1) {
    fuse_session_loop(session);
  } else {
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_clone_fd(config, 0);
    fuse_loop_cfg_set_max_threads(config, threads);
    fuse_loop_cfg_set_idle_threads(config, threads);
    fuse_session_loop_mt(session, config);
    fuse_loop_cfg_destroy(config);
  }
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  return 0;
}
