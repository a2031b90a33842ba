/* Data files: found below data.path, read exactly to the byte, gzip'd or not.
 *
 * Whatever is wrong with a file is STATUS_USAGE with its path, what was expected, what was found. */
#ifndef SIM_DATASETS_FILE_H
#define SIM_DATASETS_FILE_H

#include "sim/data.h"

enum { FILE_PATH = 4096 };

struct data_stream {
    FILE *file;
    struct inflater *inflater; /* NULL: a plain file */
    char path[FILE_PATH];
    uint64_t bytes; /* on disk */
    uint64_t at;    /* content bytes read so far */
};

/* The folder that holds at least one official file: data.path itself or a folder below it. */
int data_folder(const struct dataset_type *t, const char *path, char folder[FILE_PATH],
                struct error *e);
int data_file_path(char path[FILE_PATH], const char *folder, const char *name, struct error *e);
/* As above, and if that file is not there the same name without ".gz"; where neither is, the name
 * as given. */
int data_file_find(char path[FILE_PATH], const char *folder, const char *name, struct error *e);
bool data_file_exists(const char *path);
int data_file_check(const char *path, uint64_t *bytes,
                    struct error *e); /* there, a file, its size */

int stream_open(struct data_stream *s, const char *path, struct error *e);
/* Can the file hold `total` bytes of content? Asked before anything is allocated: a plain file must
 * have that size, a compressed one at least a 1032th of it (deflate's limit). */
int stream_expect(const struct data_stream *s, uint64_t total, struct error *e);
int stream_read(struct data_stream *s, void *to, size_t n, struct error *e);
int stream_skip(struct data_stream *s, uint64_t n, struct error *e);
int stream_end(struct data_stream *s,
               struct error *e); /* nothing follows, and gzip's CRC is right */
void stream_close(struct data_stream *s);

#endif
