/* Data files. zlib's gzread serves plain files too, so one path reads both.
 *
 * Traps: gzread gives what it has of a truncated file without complaint, so every read asks for an
 * exact number of bytes; the CRC is checked only when the end is reached, so stream_end reads one
 * byte more; a header may claim any size, so stream_expect compares it with the file first; opening
 * a FIFO blocks, so the kind of file is looked at before. */
#include "sim/datasets/file.h"

#include <errno.h>
#include <inttypes.h>
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

int stream_open(struct data_stream *s, const char *path, struct error *e) {
    *s = (struct data_stream){0};
    snprintf(s->path, sizeof s->path, "%s", path);
    int status = data_file_check(path, &s->bytes, e);
    if (status) return status;
    s->gz = gzopen(path, "rb");
    if (!s->gz) return error_set(e, STATUS_USAGE, "%s: cannot be read: %s", path, strerror(errno));
    s->plain = gzdirect(s->gz);
    return STATUS_OK;
}

int stream_expect(const struct data_stream *s, uint64_t total, struct error *e) {
    if (s->plain ? s->bytes == total : total / 1032 <= s->bytes) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: expected %" PRIu64 " bytes%s, found %" PRIu64
                     ": the file is cut off or not what its name says, get it again",
                     s->path, total, s->plain ? "" : " once uncompressed", s->bytes);
}

static int stream_broken(const struct data_stream *s, struct error *e) {
    int code;
    const char *why = gzerror(s->gz, &code);
    if (code == Z_ERRNO) why = strerror(errno);
    const char *colon = strrchr(why, ':'); /* zlib puts the path in front */
    return error_set(e, STATUS_USAGE, "%s: broken after %" PRIu64 " bytes (%s): get the file again",
                     s->path, s->at, colon ? colon + 2 : why);
}

int stream_read(struct data_stream *s, void *to, size_t n, struct error *e) {
    char *at = to;
    for (size_t left = n; left > 0;) {
        unsigned chunk = left < 1u << 24 ? (unsigned)left : 1u << 24;
        int got = gzread(s->gz, at, chunk);
        if (got < 0) return stream_broken(s, e);
        s->at += (uint64_t)got;
        if (got == 0)
            return error_set(e, STATUS_USAGE,
                             "%s: expected at least %" PRIu64 " bytes, found %" PRIu64
                             ": the file is cut off, get it again",
                             s->path, s->at + left, s->at);
        at += got;
        left -= (size_t)got;
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
    char more;
    int got = gzread(s->gz, &more, 1);
    if (got < 0) return stream_broken(s, e);
    if (got == 0) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: expected %" PRIu64
                     " bytes, found more: not the file it should be, get it "
                     "again",
                     s->path, s->at);
}

void stream_close(struct data_stream *s) {
    if (s->gz) gzclose_r(s->gz);
    s->gz = NULL;
}
