/*
 * Client of the measurements: opens, reads to the end and closes ROOT/<1..COUNT>/FILE, ROUNDS times over.
 * Usage: open-read-close ROOT COUNT FILE ROUNDS
 * Prints "<microseconds per open-read-close> <files read> <bytes read>"; exits with 1 if a file could not be read.
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s ROOT COUNT FILE ROUNDS\n", argv[0]);
    return 2;
  }
  int count = atoi(argv[2]), rounds = atoi(argv[4]);
  static char buffer[65536];
  char path[4096];
  long files = 0, bytes = 0;
  double start = now();
  for (int round = 0; round < rounds; round++) {
    for (int i = 1; i <= count; i++) {
      snprintf(path, sizeof path, "%s/%d/%s", argv[1], i, argv[3]);
      int fd = open(path, O_RDONLY);
      if (fd < 0) {
        perror(path);
        return 1;
      }
      ssize_t n;
      while ((n = read(fd, buffer, sizeof buffer)) > 0) bytes += n;
      if (n < 0) {
        perror(path);
        return 1;
      }
      close(fd);
      files++;
    }
  }
  printf("%.2f %ld %ld\n", (now() - start) / files, files, bytes);
  return 0;
}
