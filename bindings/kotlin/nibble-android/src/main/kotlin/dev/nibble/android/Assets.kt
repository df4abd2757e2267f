package dev.nibble.android

import android.content.res.AssetFileDescriptor
import android.content.res.AssetManager
import dev.nibble.Lexicon
import dev.nibble.Model
import dev.nibble.ModelFile
import dev.nibble.ModelOptions

/**
 * Maps a model that lies in an open file, such as a raw resource or what a content provider gave. The descriptor stays
 * the caller's and may be closed afterwards.
 *
 * @param name stands for the file in errors
 */
public suspend fun Model.Companion.open(
    descriptor: AssetFileDescriptor,
    name: String,
    options: ModelOptions = ModelOptions(),
): Model = openDescriptor(descriptor.number, descriptor.startOffset, descriptor.bytes, name, options)

/**
 * Maps a model out of the app's package. Assets that are to be mapped must not be compressed: list their endings under
 * `androidResources { noCompress += listOf("gguf", "lex") }`.
 *
 * @throws java.io.FileNotFoundException where there is no such asset, or where it is compressed
 */
public suspend fun Model.Companion.openAsset(
    assets: AssetManager,
    name: String,
    options: ModelOptions = ModelOptions(),
): Model = assets.openFd(name).use { open(it, name, options) }

/**
 * Opens a lexicon that lies in an open file. The descriptor stays the caller's and may be closed afterwards.
 *
 * @param name stands for the file in errors
 */
public suspend fun Lexicon.Companion.open(descriptor: AssetFileDescriptor, name: String): Lexicon =
    openDescriptor(descriptor.number, descriptor.startOffset, descriptor.bytes, name)

/**
 * Opens a lexicon out of the app's package, which must not be compressed, as for [Model.Companion.openAsset].
 *
 * @throws java.io.FileNotFoundException where there is no such asset, or where it is compressed
 */
public suspend fun Lexicon.Companion.openAsset(assets: AssetManager, name: String): Lexicon =
    assets.openFd(name).use { open(it, name) }

/**
 * The file that should be a model and lies in an open file. The descriptor stays the caller's and may be closed
 * afterwards.
 *
 * @param name stands for the file in errors
 */
public fun ModelFile.Companion.at(descriptor: AssetFileDescriptor, name: String): ModelFile =
    atDescriptor(descriptor.number, descriptor.startOffset, descriptor.bytes, name)

private val AssetFileDescriptor.number get() = parcelFileDescriptor.fd

/** The length where the descriptor knows it, else that of the file from the offset on. */
private val AssetFileDescriptor.bytes
    get() = if (length == AssetFileDescriptor.UNKNOWN_LENGTH) parcelFileDescriptor.statSize - startOffset else length
