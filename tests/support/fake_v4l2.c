/* A capture card of V4L2 for programs that are started with this in LD_PRELOAD: whoever opens FAKE_V4L2 has a driver
   before it. Its pictures are in a memory file, so that mmap is the system's own.

   YUYV 64x48 at 100 and 50 fps, YUYV 128x96 at 10 fps, MJPG up to 128x96 at 1 to 60 fps. The luma of picture n is
   40 + n % 100, or the picture is the file FAKE_V4L2_JPEG. Picture n is taken at n frame times after the start of the
   stream by the monotonic clock, and is there up to half a frame time later. After FAKE_V4L2_FRAMES pictures the signal
   is gone. FAKE_V4L2_BUSY refuses to stream, as where another program has the card. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BUFFERS 4
#define BYTES (128 * 96 * 2)

static struct {
    int fd, blocking, streaming, queued[BUFFERS], waiting, count;
    unsigned width, height, format, rate;
    long long start_us, taken;
    unsigned char *memory;
} card = {.fd = -1, .width = 64, .height = 48, .format = V4L2_PIX_FMT_YUYV, .rate = 50};

static long long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static int refuse(int number) {
    errno = number;
    return -1;
}

static int open_card(int flags) {
    int fd = memfd_create("card", 0);
    if (fd < 0 || ftruncate(fd, BUFFERS * BYTES)) return -1;
    if (card.memory == NULL || card.fd < 0) {
        card.fd = fd;
        card.memory = mmap(NULL, BUFFERS * BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    card.blocking = !(flags & O_NONBLOCK);
    return fd;
}

static int is_card(const char *path) {
    const char *name = getenv("FAKE_V4L2");
    return name != NULL && path != NULL && strcmp(path, name) == 0;
}

#define OPEN(name)                                                                                                    \
    int name(const char *path, int flags, ...) {                                                                     \
        va_list more;                                                                                                 \
        va_start(more, flags);                                                                                        \
        int mode = va_arg(more, int);                                                                                 \
        va_end(more);                                                                                                 \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);                                                \
        return is_card(path) ? open_card(flags) : real(path, flags, mode);                                            \
    }
OPEN(open)
OPEN(open64)

static int is_fake(int fd) {
    char link[64], name[64] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    return length > 0 && strncmp(name, "/memfd:card", 11) == 0;
}

int close(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    if (fd == card.fd) {
        munmap(card.memory, BUFFERS * BYTES);
        card.fd = -1, card.streaming = 0;
    }
    return real(fd);
}

static void choose(struct v4l2_format *asked) {
    struct v4l2_pix_format *pix = &asked->fmt.pix;
    int jpeg = pix->pixelformat == V4L2_PIX_FMT_MJPEG;
    int large = pix->width > 64 || (jpeg && pix->width == 0);
    pix->pixelformat = jpeg ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_YUYV;
    pix->width = large ? 128 : 64, pix->height = large ? 96 : 48;
    pix->field = V4L2_FIELD_NONE, pix->bytesperline = jpeg ? 0 : 2 * pix->width, pix->sizeimage = BYTES;
    pix->colorspace = V4L2_COLORSPACE_SMPTE170M;
}

static void rate(struct v4l2_streamparm *asked, int set) {
    struct v4l2_fract *each = &asked->parm.capture.timeperframe;
    if (set && each->numerator) card.rate = each->denominator / each->numerator;
    if (card.format == V4L2_PIX_FMT_YUYV) card.rate = card.width > 64 ? 10 : card.rate > 50 ? 100 : 50;
    if (card.rate > 100) card.rate = 100;
    each->numerator = 1, each->denominator = card.rate;
    asked->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
}

static unsigned draw(unsigned char *into) {
    const char *path = getenv("FAKE_V4L2_JPEG");
    if (card.format == V4L2_PIX_FMT_MJPEG && path != NULL) {
        FILE *file = fopen(path, "rb");
        unsigned size = file == NULL ? 0 : fread(into, 1, BYTES, file);
        if (file != NULL) fclose(file);
        return size;
    }
    for (unsigned at = 0; at < card.width * card.height * 2; at += 2) {
        into[at] = 40 + card.taken % 100, into[at + 1] = 128;
    }
    return card.width * card.height * 2;
}

static int dequeue(struct v4l2_buffer *buffer) {
    const char *most = getenv("FAKE_V4L2_FRAMES");
    long long period_us = 1000000 / card.rate;
    for (;;) {
        /* A driver that nobody has asked for long has filled its buffers and drops what comes. */
        long long late = (now_us() - card.start_us) / period_us - card.taken - card.waiting;
        if (late > 0) card.taken += late;
        long long at_us = card.start_us + card.taken * period_us;
        int gone = most != NULL && card.taken >= atoll(most);
        if (!gone && card.waiting && now_us() >= at_us + period_us * (card.taken % 3) / 4) {
            buffer->index = card.queued[0];
            memmove(card.queued, card.queued + 1, --card.waiting * sizeof(int));
            buffer->bytesused = draw(card.memory + buffer->index * BYTES);
            buffer->length = BYTES, buffer->sequence = card.taken++;
            buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC, buffer->field = V4L2_FIELD_NONE;
            buffer->timestamp.tv_sec = at_us / 1000000, buffer->timestamp.tv_usec = at_us % 1000000;
            return 0;
        }
        if (!card.blocking) return refuse(EAGAIN);
        usleep(500);
    }
}

static int list(unsigned long request, void *given) {
    struct v4l2_fmtdesc *format = given;
    struct v4l2_frmsizeenum *size = given;
    struct v4l2_frmivalenum *each = given;
    static const int rates[] = {100, 50};
    switch (request) {
    case VIDIOC_ENUM_FMT:
        if (format->index > 1 || format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return refuse(EINVAL);
        format->pixelformat = format->index ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_YUYV;
        format->flags = format->index ? V4L2_FMT_FLAG_COMPRESSED : 0;
        return 0;
    case VIDIOC_ENUM_FRAMESIZES:
        if (size->pixel_format == V4L2_PIX_FMT_YUYV && size->index < 2) {
            size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
            size->discrete.width = size->index ? 128 : 64, size->discrete.height = size->index ? 96 : 48;
            return 0;
        }
        if (size->pixel_format != V4L2_PIX_FMT_MJPEG || size->index) return refuse(EINVAL);
        size->type = V4L2_FRMSIZE_TYPE_STEPWISE;
        size->stepwise = (struct v4l2_frmsize_stepwise){64, 128, 64, 48, 96, 48};
        return 0;
    default:
        if (each->pixel_format == V4L2_PIX_FMT_MJPEG && !each->index) {
            each->type = V4L2_FRMIVAL_TYPE_CONTINUOUS;
            each->stepwise = (struct v4l2_frmival_stepwise){{1, 60}, {1, 1}, {1, 1}};
            return 0;
        }
        if (each->pixel_format != V4L2_PIX_FMT_YUYV || each->index > (each->width > 64 ? 0 : 1)) return refuse(EINVAL);
        each->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        each->discrete = (struct v4l2_fract){1, each->width > 64 ? 10 : rates[each->index]};
        return 0;
    }
}

static int answer(unsigned long request, void *given) {
    struct v4l2_capability *can = given;
    struct v4l2_input *input = given;
    struct v4l2_format *format = given;
    struct v4l2_requestbuffers *buffers = given;
    struct v4l2_buffer *buffer = given;
    switch (request) {
    case VIDIOC_QUERYCAP:
        memset(can, 0, sizeof *can);
        strcpy((char *)can->driver, "fake"), strcpy((char *)can->card, "Fake card");
        can->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        can->capabilities = can->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    case VIDIOC_ENUM_FMT: case VIDIOC_ENUM_FRAMESIZES: case VIDIOC_ENUM_FRAMEINTERVALS:
        return list(request, given);
    case VIDIOC_G_INPUT: case VIDIOC_S_INPUT:
        *(int *)given = 0;
        return 0;
    case VIDIOC_ENUMINPUT:
        if (input->index) return refuse(EINVAL);
        strcpy((char *)input->name, "HDMI"), input->type = V4L2_INPUT_TYPE_CAMERA, input->std = 0;
        return 0;
    case VIDIOC_G_FMT:
        format->fmt.pix.pixelformat = card.format, format->fmt.pix.width = card.width;
        choose(format);
        return 0;
    case VIDIOC_S_FMT: case VIDIOC_TRY_FMT:
        choose(format);
        if (request == VIDIOC_S_FMT) {
            card.format = format->fmt.pix.pixelformat;
            card.width = format->fmt.pix.width, card.height = format->fmt.pix.height;
        }
        return 0;
    case VIDIOC_G_PARM: case VIDIOC_S_PARM:
        rate(given, request == VIDIOC_S_PARM);
        return 0;
    case VIDIOC_REQBUFS:
        if (getenv("FAKE_V4L2_BUSY")) return refuse(EBUSY);
        buffers->count = card.count = buffers->count > BUFFERS ? BUFFERS : buffers->count;
        card.waiting = 0;
        return 0;
    case VIDIOC_QUERYBUF:
        if ((int)buffer->index >= card.count) return refuse(EINVAL);
        buffer->length = BYTES, buffer->m.offset = buffer->index * BYTES;
        return 0;
    case VIDIOC_QBUF:
        card.queued[card.waiting++] = buffer->index;
        return 0;
    case VIDIOC_DQBUF:
        return card.streaming ? dequeue(buffer) : refuse(EINVAL);
    case VIDIOC_STREAMON:
        card.streaming = 1, card.start_us = now_us(), card.taken = 0;
        return 0;
    case VIDIOC_STREAMOFF:
        card.streaming = card.waiting = 0;
        return 0;
    default:
        return refuse(EINVAL);
    }
}

int ioctl(int fd, unsigned long request, ...) {
    va_list more;
    va_start(more, request);
    void *given = va_arg(more, void *);
    va_end(more);
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    /* Python passes the number with its sign. */
    return is_fake(fd) ? answer(request & 0xffffffffUL, given) : real(fd, request, given);
}
