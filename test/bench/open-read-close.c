/*
 * Client of the measurements: opens, reads to the end and closes ROOT/<name>/FILE for each name on standard input (one a
 * line), ROUNDS times over, and times each file by itself, so that a median stands for the work even on a busy machine.
 * Usage: open-read-close ROOT FILE ROUNDS < NAMES
 * Prints "<median> <10th percentile> <mean> <files> <missing> <bytes>", times in microseconds a file. Files whose process
 * is gone (ENOENT, ESRCH) only count as missing; with any other error, or no file at all, the exit status is 1.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_NAMES 100000
#define NAME_SIZE 32

static char names[MAX_NAMES][NAME_SIZE];
static char buffer[65536];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Bytes read, or -1 with errno. */
static long read_whole(const char *path) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  long bytes = 0;
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) bytes += n;
  int error = errno;
  close(fd);
  errno = error;
  return n < 0 ? -1 : bytes;
}

static int read_names(void) {
  int count = 0;
  while (count < MAX_NAMES && fgets(names[count], NAME_SIZE, stdin) != NULL) {
    names[count][strcspn(names[count], "\n")] = '\0';
    if (names[count][0] != '\0') count++;
  }
  return count;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s ROOT FILE ROUNDS < NAMES\n", argv[0]);
    return 2;
  }
  int count = read_names(), rounds = atoi(argv[3]);
  double *times = malloc(sizeof *times * ((size_t)count * rounds + 1));
  char path[4096];
  long files = 0, missing = 0, bytes = 0;
  double sum = 0;
  for (int i = 0; i < count * rounds; i++) {
    snprintf(path, sizeof path, "%s/%s/%s", argv[1], names[i % count], argv[2]);
    double start = now();
    long length = read_whole(path);
    double took = now() - start;
    if (length < 0 && (errno == ENOENT || errno == ESRCH)) {
      missing++;
      continue;
    }
    if (length < 0) {
      perror(path);
      return 1;
    }
    bytes += length;
    sum += took;
    times[files++] = took;
  }
  if (files == 0) {
    fprintf(stderr, "%s: no file could be read\n", argv[1]);
    return 1;
  }
  qsort(times, files, sizeof *times, by_value);
  printf("%.2f %.2f %.2f %ld %ld %ld\n", times[files / 2], times[files / 10], sum / files, files, missing, bytes);
  return 0;
}
