/* Data files, gzip'd or plain, told apart by their first two bytes.
 *
 * Traps: a header may claim any size, so stream_expect compares it with the file before anything is
 * allocated; opening a FIFO blocks, so the kind of file is looked at first. inflate is driven here
 * and not by zlib's gzread, which takes a file without its checksum and bytes after it for whole:
 * the end of the compressed stream must be reached, and it must be the end of the file. */
#include "sim/datasets/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

bool data_file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

int data_file_path(char path[FILE_PATH], const char *folder, const char *name, struct error *e) {
    const char *slash = name[0] == '\0' ? "" : "/";
    int n = snprintf(path, FILE_PATH, "%s%s%s", folder, slash, name);
    if (n >= 0 && n < FILE_PATH) return STATUS_OK;
    return error_set(e, STATUS_USAGE, "data.path: longer than %d characters: move the data",
                     FILE_PATH - 1);
}

int data_file_find(char path[FILE_PATH], const char *folder, const char *name, struct error *e) {
    int status = data_file_path(path, folder, name, e);
    size_t n = strlen(path);
    if (status || n < 3 || strcmp(path + n - 3, ".gz") != 0 || data_file_exists(path))
        return status;
    path[n - 3] = '\0';
    if (!data_file_exists(path)) path[n - 3] = '.';
    return STATUS_OK;
}

static int folder_wrong(const struct dataset_type *t, const char *path, struct error *e) {
    struct stat st;
    if (stat(path, &st) != 0)
        return error_set(e, STATUS_USAGE, "data.path: %s: %s: give the folder with the files of %s",
                         path, strerror(errno), t->name);
    if (!S_ISDIR(st.st_mode))
        return error_set(e, STATUS_USAGE,
                         "data.path: %s is not a folder: give the one with the files of %s", path,
                         t->name);
    return error_set(e, STATUS_USAGE,
                     "data.path: no file of %s (such as %s) is in %s: `imprint data info %s` says "
                     "where to get them",
                     t->name, t->official[0].name, path, t->name);
}

int data_folder(const struct dataset_type *t, const char *path, char folder[FILE_PATH],
                struct error *e) {
    for (const char *const *below = t->folders; *below; below++) {
        int status = data_file_path(folder, path, *below, e);
        for (const struct data_file *f = t->official; f->name && !status; f++) {
            char file[FILE_PATH];
            status = data_file_find(file, folder, f->name, e);
            if (!status && data_file_exists(file)) return STATUS_OK;
        }
        if (status) return status;
    }
    return folder_wrong(t, path, e);
}

int data_file_check(const char *path, uint64_t *bytes, struct error *e) {
    struct stat st;
    if (stat(path, &st) != 0)
        return error_set(e, STATUS_USAGE, "%s: %s: `imprint data info` says where to get it", path,
                         errno == ENOENT ? "missing" : strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(e, STATUS_USAGE, "%s: expected a file, found a %s", path,
                         S_ISDIR(st.st_mode) ? "folder" : "device");
    *bytes = (uint64_t)st.st_size;
    return STATUS_OK;
}

struct inflater {
    z_stream z;
    bool done; /* the compressed stream has ended and its checksum was right */
    unsigned char in[1 << 16];
};

static int inflater_create(struct data_stream *s, struct error *e) {
    s->inflater = calloc(1, sizeof *s->inflater);
    if (s->inflater && inflateInit2(&s->inflater->z, 15 + 16) == Z_OK) return STATUS_OK;
    free(s->inflater);
    s->inflater = NULL;
    return error_set(e, STATUS_FAILED, "out of memory");
}

int stream_open(struct data_stream *s, const char *path, struct error *e) {
    unsigned char magic[2] = {0};
    *s = (struct data_stream){0};
    snprintf(s->path, sizeof s->path, "%s", path);
    int status = data_file_check(path, &s->bytes, e);
    if (status) return status;
    s->file = fopen(path, "rb");
    if (!s->file)
        return error_set(e, STATUS_USAGE, "%s: cannot be read: %s", path, strerror(errno));
    const bool gz = fread(magic, 1, 2, s->file) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
    rewind(s->file);
    return gz ? inflater_create(s, e) : STATUS_OK;
}

void stream_close(struct data_stream *s) {
    if (s->inflater) inflateEnd(&s->inflater->z);
    free(s->inflater);
    if (s->file) fclose(s->file);
    s->inflater = NULL;
    s->file = NULL;
}

int stream_expect(const struct data_stream *s, uint64_t total, struct error *e) {
    if (s->inflater ? total / 1032 <= s->bytes : s->bytes == total) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: expected %" PRIu64 " bytes%s, found %" PRIu64
                     ": the file is cut off or not what its name says, get it again",
                     s->path, total, s->inflater ? " once uncompressed" : "", s->bytes);
}

static int stream_broken(const struct data_stream *s, const char *why, struct error *e) {
    return error_set(e, STATUS_USAGE, "%s: broken after %" PRIu64 " bytes (%s): get the file again",
                     s->path, s->at, why);
}

/* Up to n bytes of content; fewer only at its end. */
static int stream_inflate(struct data_stream *s, void *to, size_t n, size_t *got, struct error *e) {
    struct inflater *f = s->inflater;
    f->z.next_out = to;
    f->z.avail_out = (unsigned)n;
    while (f->z.avail_out > 0 && !f->done) {
        if (f->z.avail_in == 0) {
            f->z.next_in = f->in;
            f->z.avail_in = (unsigned)fread(f->in, 1, sizeof f->in, s->file);
            if (f->z.avail_in == 0) return stream_broken(s, "unexpected end of file", e);
        }
        int code = inflate(&f->z, Z_NO_FLUSH);
        if (code != Z_OK && code != Z_STREAM_END)
            return stream_broken(s, f->z.msg ? f->z.msg : "bad compressed data", e);
        f->done = code == Z_STREAM_END;
    }
    *got = n - f->z.avail_out;
    return STATUS_OK;
}

static int stream_some(struct data_stream *s, void *to, size_t n, size_t *got, struct error *e) {
    int status = STATUS_OK;
    if (s->inflater)
        status = stream_inflate(s, to, n, got, e);
    else
        *got = fread(to, 1, n, s->file);
    if (!status && ferror(s->file)) status = stream_broken(s, strerror(errno), e);
    if (!status) s->at += *got;
    return status;
}

int stream_read(struct data_stream *s, void *to, size_t n, struct error *e) {
    char *at = to;
    for (size_t left = n; left > 0;) {
        size_t got = 0;
        int status = stream_some(s, at, left < 1u << 24 ? left : 1u << 24, &got, e);
        if (status) return status;
        if (got == 0)
            return error_set(e, STATUS_USAGE,
                             "%s: expected at least %" PRIu64 " bytes, found %" PRIu64
                             ": the file is cut off, get it again",
                             s->path, s->at + left, s->at);
        at += got;
        left -= got;
    }
    return STATUS_OK;
}

int stream_skip(struct data_stream *s, uint64_t n, struct error *e) {
    char scrap[16384];
    int status = STATUS_OK;
    while (n > 0 && !status) {
        size_t chunk = n < sizeof scrap ? (size_t)n : sizeof scrap;
        status = stream_read(s, scrap, chunk, e);
        n -= chunk;
    }
    return status;
}

int stream_end(struct data_stream *s, struct error *e) {
    const uint64_t expected = s->at;
    char more;
    size_t got = 0;
    int status = stream_some(s, &more, 1, &got, e);
    if (status) return status;
    const bool rest = s->inflater && (s->inflater->z.avail_in > 0 || fgetc(s->file) != EOF);
    if (got == 0 && !rest) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: expected %" PRIu64 " bytes%s, found more: not the file it should be, get "
                     "it again",
                     s->path, expected, got ? "" : " and the end of the compressed data");
}
